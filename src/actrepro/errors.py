"""The one exception that stands for a mistake a user can mend."""


class ActreproError(Exception):
    """A mistake outside the code: a config, a file, a download.

    The message says what was looked at, what was found, what was expected and
    what to do. Jobs print it without a traceback.
    """

from pathlib import Path

from actrepro.core.jobs import job

with job(snakemake.log[0]):
    from actrepro.config.study import RunConfig
    from actrepro.models.card import CardRequest, write_cards

    write_cards(
        CardRequest(
            runs=[RunConfig.model_validate(run) for run in snakemake.params.runs],
            activations=snakemake.params.activations,
            scales=snakemake.params.scales,
            symbols=snakemake.params.symbols,
        ),
        [Path(path) for path in snakemake.input.corpora],
        Path(snakemake.output[0]),
    )

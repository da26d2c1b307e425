"""Thoughtline: a recipe's artifacts as one graph of files. `snakemake --profile profiles/local` makes the report."""


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/questions.smk"
include: "rules/models.smk"
include: "rules/traces.smk"
include: "rules/verdicts.smk"
include: "rules/datasets.smk"
include: "rules/scores.smk"
include: "rules/report.smk"


onstart:
    check_submission()
    if SHARING:
        write_sharing_plans(workflow.dag.needrun_jobs())


rule all:
    default_target: True
    input:
        PATHS.targets(),
    localrule: True

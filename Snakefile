"""Thoughtline: a recipe's artifacts as one graph of files. `snakemake --profile profiles/local` makes the report."""


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/preflight.smk"
include: "rules/stage.smk"
include: "rules/questions.smk"
include: "rules/models.smk"
include: "rules/traces.smk"
include: "rules/verdicts.smk"
include: "rules/datasets.smk"
include: "rules/scores.smk"
include: "rules/drafts.smk"
include: "rules/report.smk"
include: "rules/probe.smk"


# The only one: Snakemake forgets all but the last.
onstart:
    check_submission()
    check_room()
    check_budget()
    jobs = list(workflow.dag.needrun_jobs())
    check_images(jobs)
    check_memory(jobs)
    check_staging(jobs)
    make_stage()
    if ON_CLUSTER and workflow.non_local_exec:
        put_logs(jobs)
        check_arrays(jobs)
        take_over()
    if SHARING:
        write_sharing_plans(jobs)


rule all:
    default_target: True
    input:
        PATHS.targets(),
    localrule: True

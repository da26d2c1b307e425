# REQUIRED INPUTS: the hub, by internet: from a partition whose jobs reach it, else from the node that the driver runs on.
# OUTPUTS: the manifest of each staged repository; all other rules read staged copies only, without network.
rule stage_repository:
    # Files of one hub repository at its commit, each compared with the hash that the hub publishes.
    output:
        manifest=f"{CONFIG.stage}/{{repository}}/{{commit}}.json",
        prov=f"{CONFIG.stage}/{{repository}}/{{commit}}.json.prov.json",
    log:
        f"{R}/logs/stage/{{repository}}/{{commit}}.log",
    benchmark:
        f"{R}/benchmarks/stage/{{repository}}/{{commit}}.tsv"
    wildcard_constraints:
        repository=either({need.id for need in PATHS.needs().values()}),
        # revision.selection: as a wildcard of its own Snakemake refuses a revision that repeats itself, as one that is still to be pinned does
        commit=r"[0-9a-f]{40}\.[0-9a-f]{8}",
    # Downloads take longest and need least: first of all.
    priority: 30
    localrule: not has_internet(MACHINE)
    container:
        image("data")
    threads: threads_of(fixed(DEMANDS.stage()), 1)
    resources:
        **placed(fixed(DEMANDS.stage())),
    params:
        settings=lambda wildcards, output: recipe_settings.text(PATHS.needs()[output.manifest].settings()),
    shell:
        f"thoughtline stage fetch --settings {{params.settings:q}} --stage {CONFIG.stage}" " --minutes {resources.runtime} 2>&1 | tee -a {log:q}"


rule stage:
    # All that the recipe's targets need of the hub.
    input:
        PATHS.staged(),
    localrule: True

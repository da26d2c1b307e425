# REQUIRED INPUTS: the sources that the recipe names (hub data sets from their staged copies, local files, reasoning-gym).
# OUTPUTS: questions/{set}/{shard}.parquet, a fixed number of hash partitions a set.
for _set in [*RECIPE.questions, *RECIPE.benchmarks]:

    rule:
        name:
            f"curate_questions_{_set}"
        # Loads, filters, deduplicates and shards one question set.
        input:
            local=PATHS.local_sources(_set),
            staged=ancient(PATHS.staged_sources(_set)),
        output:
            rows=PATHS.rows("questions", _set),
            prov=[f"{path}.prov.json" for path in PATHS.rows("questions", _set)],
        log:
            f"{R}/logs/questions/{_set}.log",
        benchmark:
            f"{R}/benchmarks/questions/{_set}.tsv"
        container:
            image("data")
        resources:
            **placed(fixed(DEMANDS.questions(_set))),
        params:
            settings=later(settings_of, "questions", _set),
        shell:
            "thoughtline questions curate --settings {params.settings:q} --out $(dirname {output.rows[0]:q})"
            f" --stage {CONFIG.stage} --work {R}/work/questions/$(basename $(dirname {{output.rows[0]:q}}))"
            " --minutes {resources.runtime} 2>&1 | tee -a {log:q}"

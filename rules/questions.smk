# REQUIRED INPUTS: the sources that the recipe names (hub data sets from their staged copies, local files, reasoning-gym).
# OUTPUTS: questions/{set}/{shard}.parquet, a fixed number of hash partitions a set.
for _set in [name for name, each in {**RECIPE.questions, **RECIPE.benchmarks}.items() if each.sources]:

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


# REQUIRED INPUTS: all shards of the set to choose from, and of the traces of the run that was asked about it.
# OUTPUTS: questions/{set}/{shard}.parquet
for _set in [name for name, each in RECIPE.questions.items() if each.rated]:

    rule:
        name:
            f"select_questions_{_set}"
        # Chooses questions of another set by a model's rating of them.
        input:
            **PATHS.rated_inputs(_set),
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
            "thoughtline questions select --settings {params.settings:q} --questions {input.questions:q} --traces {input.traces:q}"
            f" --out $(dirname {{output.rows[0]:q}}) --work {R}/work/questions/$(basename $(dirname {{output.rows[0]:q}}))"
            " --minutes {resources.runtime} 2>&1 | tee -a {log:q}"

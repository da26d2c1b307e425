# REQUIRED INPUTS: a benchmark's questions, a model's traces on it and their verdicts, all shards.
# OUTPUTS: scores/{model}/{benchmark}.json, and the outcome of each question beside it.
rule score_model:
    # Sums up verdicts with intervals that treat questions as the sampling unit.
    input:
        questions=lambda wildcards: PATHS.rows("questions", wildcards.benchmark),
        traces=lambda wildcards: PATHS.rows("traces", wildcards.model, wildcards.benchmark),
        verdicts=lambda wildcards: PATHS.rows("verdicts", wildcards.model, wildcards.benchmark),
    output:
        scores=f"{R}/scores/{{model}}/{{benchmark}}.json",
        prov=f"{R}/scores/{{model}}/{{benchmark}}.json.prov.json",
        questions=f"{R}/scores/{{model}}/{{benchmark}}.questions.parquet",
    log:
        f"{R}/logs/scores/{{model}}/{{benchmark}}.log",
    benchmark:
        f"{R}/benchmarks/scores/{{model}}/{{benchmark}}.tsv"
    container:
        image("data")
    resources:
        **placed(lambda wildcards: DEMANDS.scores()),
    params:
        settings=lambda wildcards: settings_of("scores", wildcards.benchmark),
    shell:
        "thoughtline scores score --settings {params.settings:q} --model-name {wildcards.model:q} --questions {input.questions:q}"
        " --traces {input.traces:q} --verdicts {input.verdicts:q} --out {output.scores:q}"
        f" --work {R}/work/scores/{{wildcards.model}}/{{wildcards.benchmark}}"
        " --minutes {resources.runtime} 2>&1 | tee -a {log:q}"

# REQUIRED INPUTS: a shard of questions and the traces that answer it; the judge's weights where a judge is asked.
# OUTPUTS: verdicts/{answerer}/{set}/{shard}.parquet
rule verify_traces:
    # Judges every trace of a shard with the verifier of its set, or of its domain.
    input:
        questions=f"{R}/questions/{{set}}/{{shard}}.parquet",
        traces=f"{R}/traces/{{answerer}}/{{set}}/{{shard}}.parquet",
        judge=lambda wildcards: PATHS.judge_model(wildcards.set),
    output:
        rows=f"{R}/verdicts/{{answerer}}/{{set}}/{{shard}}.parquet",
        prov=f"{R}/verdicts/{{answerer}}/{{set}}/{{shard}}.parquet.prov.json",
    log:
        f"{R}/logs/verdicts/{{answerer}}/{{set}}/{{shard}}.log",
    benchmark:
        f"{R}/benchmarks/verdicts/{{answerer}}/{{set}}/{{shard}}.tsv"
    priority: priority_of("verdicts", 10)
    container:
        lambda wildcards: image("generate" if PATHS.judge_model(wildcards.set) else "verify")
    threads: threads_of(lambda wildcards: DEMANDS.verdicts(wildcards.set), here=2)
    resources:
        **placed(lambda wildcards: DEMANDS.verdicts(wildcards.set)),
    params:
        settings=lambda wildcards: settings_of("verdicts", wildcards.set),
        judge=lambda wildcards, input: f"--model {input.judge[0]}" if input.judge else "",
        sizes=lambda wildcards, resources: LAYOUT.judge_words(wildcards.set),
        workers=lambda wildcards, threads: EXECUTION.workers or threads,
    shell:
        "thoughtline verdicts verify --settings {params.settings:q} {params.judge} {params.sizes} --questions {input.questions:q} --traces {input.traces:q}"
        " --out {output.rows:q}"
        f" --work {R}/work/verdicts/{{wildcards.answerer}}/{{wildcards.set}}/{{wildcards.shard}} --servers {R}/work/servers"
        f" --concurrency {EXECUTION.concurrency} --linger {EXECUTION.linger}"
        " --workers {params.workers} --minutes {resources.runtime} 2>&1 | tee -a {log:q}"


# REQUIRED INPUTS: all shards of a set and their verdicts, by a combined verifier that asked judge and parser about every trace.
# OUTPUTS: agreement/{answerer}/{set}.json
rule verdict_agreement:
    # How far judge and parser agree, and what each rule would keep.
    input:
        questions=lambda wildcards: PATHS.rows("questions", wildcards.set),
        verdicts=lambda wildcards: PATHS.rows("verdicts", wildcards.answerer, wildcards.set),
    output:
        agreement=f"{R}/agreement/{{answerer}}/{{set}}.json",
        prov=f"{R}/agreement/{{answerer}}/{{set}}.json.prov.json",
    log:
        f"{R}/logs/agreement/{{answerer}}/{{set}}.log",
    benchmark:
        f"{R}/benchmarks/agreement/{{answerer}}/{{set}}.tsv"
    container:
        image("verify")
    resources:
        **placed(lambda wildcards: DEMANDS.agreement()),
    params:
        settings=lambda wildcards: settings_of("agreement", wildcards.set),
    shell:
        "thoughtline verdicts agreement --settings {params.settings:q} --questions {input.questions:q} --verdicts {input.verdicts:q}"
        " --out {output.agreement:q} 2>&1 | tee -a {log:q}"

# REQUIRED INPUTS: questions, traces and verdicts of the dataset's trace runs; benchmarks to decontaminate against; a tokenizer to count with.
# OUTPUTS: datasets/{dataset}/, which loads with one line of datasets.load_dataset.
rule assemble_dataset:
    # Keeps, deduplicates, decontaminates, mixes and writes a training set with its card.
    input:
        unpack(lambda wildcards: PATHS.dataset_inputs(wildcards.dataset)),
    output:
        card=f"{R}/datasets/{{dataset}}/README.md",
        prov=f"{R}/datasets/{{dataset}}/README.md.prov.json",
        default=f"{R}/datasets/{{dataset}}/default/train.parquet",
        metadata=f"{R}/datasets/{{dataset}}/metadata/train.parquet",
        rows=f"{R}/datasets/{{dataset}}/rows.parquet",
        dropped=f"{R}/datasets/{{dataset}}/dropped.parquet",
    log:
        f"{R}/logs/datasets/{{dataset}}.log",
    benchmark:
        f"{R}/benchmarks/datasets/{{dataset}}.tsv"
    # On a cluster, what everything else waits for goes first.
    priority: 80 if ON_CLUSTER else 0
    container:
        image("data")
    resources:
        **placed(lambda wildcards: DEMANDS.datasets()),
    params:
        settings=lambda wildcards: settings_of("datasets", wildcards.dataset),
        benchmarks=lambda wildcards, input: f"--benchmarks {' '.join(input.benchmarks)}" if input.benchmarks else "",
        tokenizer=lambda wildcards, input: f"--tokenizer {input.tokenizer[0]}" if input.tokenizer else "",
        same=lambda wildcards, input: f"--same-questions-as {input.same[0]}" if input.same else "",
    shell:
        "thoughtline datasets assemble --settings {params.settings:q} --questions {input.questions:q} --traces {input.traces:q}"
        " --verdicts {input.verdicts:q} {params.benchmarks} {params.tokenizer} {params.same}"
        f" --out $(dirname {{output.card:q}}) --work {R}/work/datasets/{{wildcards.dataset}}"
        " --minutes {resources.runtime} 2>&1 | tee -a {log:q}"

# REQUIRED INPUTS: questions and weights that the recipe's targets need anyhow.
# OUTPUTS: work/probe.json, the rates of this machine for `thoughtline plan`. No default target: `snakemake ... probe`, or `thoughtline plan --probe`.
from thoughtline.plan import choice

PROBE = choice.Probe(RECIPE, PATHS, MACHINE)


rule probe_questions:
    # A few questions of the first shard.
    input:
        f"{R}/questions/{{set}}/0000.parquet",
    output:
        f"{PROBE.root}/questions/{{answerer}}/{{set}}/0000.parquet",
    log:
        f"{R}/logs/probe/questions/{{answerer}}/{{set}}.log",
    localrule: True
    container:
        image("data")
    params:
        rows=lambda wildcards: PROBE.questions((wildcards.answerer, wildcards.set), EXECUTION.concurrency),
    shell:
        "thoughtline plan sample --questions {input:q} --rows {params.rows} --out {output:q} 2>&1 | tee -a {log:q}"


# Their rows go into the journal of the shard: its real job does not make them again.
use rule generate_traces as probe_traces with:
    input:
        questions=f"{PROBE.root}/questions/{{answerer}}/{{set}}/{{shard}}.parquet",
        model=lambda wildcards: PATHS.answerer_model(wildcards.answerer, wildcards.set),
        rewrites=[],
    output:
        rows=f"{PROBE.root}/traces/{{answerer}}/{{set}}/{{shard}}.parquet",
        prov=f"{PROBE.root}/traces/{{answerer}}/{{set}}/{{shard}}.parquet.prov.json",
    log:
        f"{R}/logs/probe/traces/{{answerer}}/{{set}}/{{shard}}.log",
    benchmark:
        f"{PROBE.root}/benchmarks/traces/{{answerer}}/{{set}}/{{shard}}.tsv"


rule probe_rows:
    # Training rows of the lengths that this teacher's replies have here, whatever their verdict.
    input:
        questions=lambda wildcards: PROBE.rows_from(wildcards.model, "questions"),
        traces=lambda wildcards: PROBE.rows_from(wildcards.model, "traces"),
    output:
        f"{PROBE.root}/rows/{{model}}/default/train.parquet",
    log:
        f"{R}/logs/probe/rows/{{model}}.log",
    localrule: True
    container:
        image("data")
    params:
        settings=lambda wildcards: settings_of("datasets", PROBE.dataset(wildcards.model)),
        rows=lambda wildcards: PROBE.rows(wildcards.model),
    shell:
        "thoughtline plan rows --settings {params.settings:q} --questions {input.questions:q} --traces {input.traces:q}"
        " --rows {params.rows} --out {output:q} 2>&1 | tee -a {log:q}"


rule probe_training:
    # A few steps; the weights that come out are not kept.
    input:
        base=lambda wildcards: PATHS.model(RECIPE.models[wildcards.model].base),
        dataset=f"{PROBE.root}/rows/{{model}}/default/train.parquet",
    output:
        manifest=f"{PROBE.root}/models/{{model}}/model.json",
        prov=f"{PROBE.root}/models/{{model}}/model.json.prov.json",
        summary=f"{PROBE.root}/models/{{model}}/training.json",
    log:
        f"{R}/logs/probe/models/{{model}}.log",
    benchmark:
        f"{PROBE.root}/benchmarks/models/{{model}}.tsv"
    wildcard_constraints:
        model=either(PROBE.trained),
    container:
        image_unless_spread("train", lambda wildcards: DEMANDS.train(wildcards.model))
    threads: threads_of(lambda wildcards: DEMANDS.train(wildcards.model), here=1024)
    resources:
        **placed(lambda wildcards: DEMANDS.train(wildcards.model)),
    params:
        settings=lambda wildcards: recipe_settings.text(choice.training_settings(recipe_settings.train(RECIPE, wildcards.model))),
        nodes=nodes_of,
        zero=lambda wildcards, resources: LAYOUT.training_words(wildcards.model),
    shell:
        "thoughtline models train --settings {params.settings:q} --base {input.base:q} --dataset $(dirname $(dirname {input.dataset:q}))"
        f" --out $(dirname {{output.manifest:q}}) --work {PROBE.root}/work/{{wildcards.model}}"
        " --nodes {params.nodes} {params.zero} --minutes {resources.runtime} 2>&1 | tee -a {log:q}"
        " && rm -r $(dirname {output.manifest:q})/weights"


rule probe:
    # What they tell of this machine.
    input:
        PROBE.shards("traces"),
        PROBE.summaries(),
    output:
        f"{R}/work/probe.json",
    log:
        f"{R}/logs/probe.log",
    localrule: True
    container:
        image("data")
    params:
        chosen=f"--recipe {CONFIG.recipe} --machine {CONFIG.machine} --results {CONFIG.results} --stage {CONFIG.stage}",
    shell:
        "thoughtline plan collect {params.chosen} --json {output:q} 2>&1 | tee -a {log:q}"

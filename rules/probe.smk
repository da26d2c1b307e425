# REQUIRED INPUTS: questions and weights that the recipe's targets need anyhow.
# OUTPUTS: work/probe.json, the rates of this machine for `thoughtline plan`. Not among the default targets: `snakemake ... probe`, or `thoughtline plan --probe`.
from thoughtline.plan import choice as probing

PROBE = f"{R}/work/probe"


def probed_traces(pairs):
    return [f"{PROBE}/traces/{name}/{set_name}/0000.parquet" for name, set_name in pairs]


def probed_pairs(dataset=None):
    """(answerer, set) that are probed, of a dataset's only or of all."""
    found = probing.pairs(RECIPE, PATHS, MACHINE)
    return [pair for pair in found if dataset is None or pair in PATHS.trace_sets(dataset)]


rule probe_questions:
    # A few questions of the first shard.
    input:
        f"{R}/questions/{{set}}/0000.parquet",
    output:
        f"{PROBE}/questions/{{answerer}}/{{set}}/0000.parquet",
    localrule: True
    params:
        rows=lambda wildcards: probing.questions_of(RECIPE, (wildcards.answerer, wildcards.set), EXECUTION.concurrency),
    shell:
        "thoughtline plan sample --questions {input:q} --rows {params.rows} --out {output:q}"


# Their rows go into the journal of the shard: its real job does not make them again.
use rule generate_traces as probe_traces with:
    input:
        questions=f"{PROBE}/questions/{{answerer}}/{{set}}/{{shard}}.parquet",
        model=lambda wildcards: PATHS.answerer_model(wildcards.answerer, wildcards.set),
    output:
        rows=f"{PROBE}/traces/{{answerer}}/{{set}}/{{shard}}.parquet",
        prov=f"{PROBE}/traces/{{answerer}}/{{set}}/{{shard}}.parquet.prov.json",
    log:
        f"{R}/logs/probe/traces/{{answerer}}/{{set}}/{{shard}}.log",
    benchmark:
        f"{PROBE}/benchmarks/traces/{{answerer}}/{{set}}/{{shard}}.tsv"


def dataset_of(model):
    return RECIPE.models[model].stages[0].dataset


rule probe_rows:
    # Training rows of the lengths that this teacher's replies have here, whatever their verdict.
    input:
        questions=lambda wildcards: [path.replace("/traces/", "/questions/") for path in probed_traces(probed_pairs(dataset_of(wildcards.model)))],
        traces=lambda wildcards: probed_traces(probed_pairs(dataset_of(wildcards.model))),
    output:
        f"{PROBE}/rows/{{model}}/default/train.parquet",
    localrule: True
    params:
        settings=lambda wildcards: settings_of("datasets", dataset_of(wildcards.model)),
        rows=lambda wildcards: RECIPE.models[wildcards.model].stages[0].global_batch * probing.STEPS,
    shell:
        "thoughtline plan rows --settings {params.settings:q} --questions {input.questions:q} --traces {input.traces:q} --rows {params.rows} --out {output:q}"


rule probe_training:
    # A few steps; the weights that come out are not kept.
    input:
        base=lambda wildcards: PATHS.model(RECIPE.models[wildcards.model].base),
        dataset=f"{PROBE}/rows/{{model}}/default/train.parquet",
    output:
        manifest=f"{PROBE}/models/{{model}}/model.json",
        prov=f"{PROBE}/models/{{model}}/model.json.prov.json",
        summary=f"{PROBE}/models/{{model}}/training.json",
    log:
        f"{R}/logs/probe/models/{{model}}.log",
    benchmark:
        f"{PROBE}/benchmarks/models/{{model}}.tsv"
    wildcard_constraints:
        model=either(PATHS.trained()),
    container:
        image_unless_spread("train", lambda wildcards: DEMANDS.train(wildcards.model))
    threads: threads_of(lambda wildcards: DEMANDS.train(wildcards.model), here=1024)
    resources:
        **placed(lambda wildcards: DEMANDS.train(wildcards.model)),
    params:
        settings=lambda wildcards: recipe_settings.text(probing.training_settings(recipe_settings.train(RECIPE, wildcards.model))),
        nodes=nodes_of,
    shell:
        "thoughtline models train --settings {params.settings:q} --base {input.base:q} --dataset $(dirname $(dirname {input.dataset:q}))"
        f" --out $(dirname {{output.manifest:q}}) --work {PROBE}/work/{{wildcards.model}}"
        " --nodes {params.nodes} --minutes {resources.runtime} 2>&1 | tee -a {log:q}"
        " && rm -r $(dirname {output.manifest:q})/weights"


rule probe:
    # What they tell of this machine.
    input:
        traces=probed_traces(probed_pairs()),
        models=expand(f"{PROBE}/models/{{model}}/training.json", model=probing.trained(RECIPE, PATHS)),
    output:
        f"{R}/work/probe.json",
    localrule: True
    shell:
        f"thoughtline plan collect --recipe {CONFIG.recipe} --machine {CONFIG.machine} --results {CONFIG.results} --stage {CONFIG.stage} --json {{output:q}}"

# REQUIRED INPUTS: for published weights the package or the staged hub snapshot; for a student its base and its dataset.
# OUTPUTS: models/{model}/model.json, the manifest of models/{model}/weights/.
rule fetch_model:
    # Published weights at a pinned revision, hashed.
    input:
        local=lambda wildcards: PATHS.local_weights(wildcards.model),
        staged=ancient(lambda wildcards: PATHS.staged_weights(wildcards.model)),
    output:
        manifest=f"{R}/models/{{model}}/model.json",
        prov=f"{R}/models/{{model}}/model.json.prov.json",
        weights=directory(f"{R}/models/{{model}}/weights"),
    log:
        f"{R}/logs/models/{{model}}.log",
    benchmark:
        f"{R}/benchmarks/models/{{model}}.tsv"
    wildcard_constraints:
        model=either(PATHS.published()),
    container:
        image("train")
    resources:
        **placed(lambda wildcards: DEMANDS.fetch(wildcards.model)),
    params:
        settings=lambda wildcards: settings_of("fetch", wildcards.model),
    shell:
        "thoughtline models fetch --settings {params.settings:q} --out $(dirname {output.manifest:q})"
        f" --stage {CONFIG.stage} --work {R}/work/models/{{wildcards.model}}"
        " --minutes {resources.runtime} 2>&1 | tee -a {log:q}"


rule train_model:
    # One training stage: supervised fine-tuning with DeepSpeed; resumes from its last checkpoint.
    input:
        base=lambda wildcards: PATHS.model(RECIPE.models[wildcards.model].base),
        dataset=lambda wildcards: PATHS.training_rows(wildcards.model),
    output:
        manifest=f"{R}/models/{{model}}/model.json",
        prov=f"{R}/models/{{model}}/model.json.prov.json",
        log=f"{R}/models/{{model}}/training.jsonl",
        summary=f"{R}/models/{{model}}/training.json",
        weights=directory(f"{R}/models/{{model}}/weights"),
    log:
        f"{R}/logs/models/{{model}}.log",
    benchmark:
        f"{R}/benchmarks/models/{{model}}.tsv"
    wildcard_constraints:
        model=either(PATHS.trained()),
    # On a cluster, what everything else waits for goes first.
    priority: 90 if ON_CLUSTER else 0
    container:
        image_unless_spread("train", lambda wildcards: DEMANDS.train(wildcards.model))
    threads: threads_of(lambda wildcards: DEMANDS.train(wildcards.model), here=2)
    resources:
        **placed(lambda wildcards: DEMANDS.train(wildcards.model)),
    params:
        settings=lambda wildcards: settings_of("train", wildcards.model),
        nodes=nodes_of,
        zero=lambda wildcards, resources: LAYOUT.training_words(wildcards.model),
    shell:
        "thoughtline models train --settings {params.settings:q} --base {input.base:q} --dataset $(dirname $(dirname {input.dataset:q}))"
        f" --out $(dirname {{output.manifest:q}}) --work {R}/work/models/{{wildcards.model}}"
        " --nodes {params.nodes} {params.zero} --minutes {resources.runtime} 2>&1 | tee -a {log:q}"

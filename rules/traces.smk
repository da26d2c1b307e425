# REQUIRED INPUTS: a shard of questions; the weights of whoever answers (none for an endpoint); the traces that are written anew, if any.
# OUTPUTS: traces/{answerer}/{set}/{shard}.parquet. The answerer is a trace run (training questions) or a model (benchmarks).
rule generate_traces:
    # Starts or joins a model server, asks every question of the shard, resumes row by row.
    input:
        questions=f"{R}/questions/{{set}}/{{shard}}.parquet",
        model=lambda wildcards: PATHS.answerer_model(wildcards.answerer, wildcards.set),
        rewrites=lambda wildcards: PATHS.rewritten(wildcards.answerer, wildcards.set, wildcards.shard),
    output:
        rows=f"{R}/traces/{{answerer}}/{{set}}/{{shard}}.parquet",
        prov=f"{R}/traces/{{answerer}}/{{set}}/{{shard}}.parquet.prov.json",
    log:
        f"{R}/logs/traces/{{answerer}}/{{set}}/{{shard}}.log",
    benchmark:
        f"{R}/benchmarks/traces/{{answerer}}/{{set}}/{{shard}}.tsv"
    # On one machine a trained student is asked at once, and everybody who shares a server one after the other.
    priority: priority_of("traces", 20)
    container:
        image_unless_spread("generate", lambda wildcards: DEMANDS.traces(wildcards.answerer, wildcards.set))
    threads: threads_of(lambda wildcards: DEMANDS.traces(wildcards.answerer, wildcards.set), here=2)
    resources:
        **placed(lambda wildcards: DEMANDS.traces(wildcards.answerer, wildcards.set)),
    params:
        settings=lambda wildcards: settings_of("traces", wildcards.answerer, wildcards.set),
        nodes=nodes_of,
        sizes=lambda wildcards, resources: LAYOUT.server_words(recipe_settings.answerer(RECIPE, wildcards.answerer, wildcards.set)["model"]),
        model=lambda wildcards, input: f"--model {input.model[0]}" if input.model else "",
        rewrites=lambda wildcards, input: f"--rewrites {input.rewrites[0]}" if input.rewrites else "",
    shell:
        "thoughtline traces generate --settings {params.settings:q} {params.model} {params.rewrites} --questions {input.questions:q} --out {output.rows:q}"
        f" --work {R}/work/traces/{{wildcards.answerer}}/{{wildcards.set}}/{{wildcards.shard}} --servers {R}/work/servers"
        f" --concurrency {EXECUTION.concurrency} --linger {EXECUTION.linger}"
        f"{' --sharing ' + PATHS.sharing_plan('{wildcards.answerer}') if SHARING else ''}"
        " --nodes {params.nodes} {params.sizes} --minutes {resources.runtime} 2>&1 | tee -a {log:q}"

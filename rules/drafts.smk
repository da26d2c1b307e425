# REQUIRED INPUTS: the manifests of both models; all shards of the questions.
# OUTPUTS: drafts/{draft}/measured.json
rule measure_draft:
    # How many tokens of a draft model its target takes over, and how much faster it writes.
    input:
        unpack(lambda wildcards: PATHS.draft_inputs(wildcards.draft)),
    output:
        measured=f"{R}/drafts/{{draft}}/measured.json",
        prov=f"{R}/drafts/{{draft}}/measured.json.prov.json",
    log:
        f"{R}/logs/drafts/{{draft}}.log",
    benchmark:
        f"{R}/benchmarks/drafts/{{draft}}.tsv"
    container:
        image("train")
    # Alone on its machine: it is timed.
    threads: threads_of(lambda wildcards: DEMANDS.drafts(wildcards.draft), here=1024)
    resources:
        **placed(lambda wildcards: DEMANDS.drafts(wildcards.draft)),
    params:
        settings=lambda wildcards: settings_of("drafts", wildcards.draft),
    shell:
        "thoughtline drafts measure --settings {params.settings:q} --target {input.target:q} --draft {input.draft:q}"
        " --questions {input.questions:q} --out {output.measured:q}"
        f" --work {R}/work/drafts/{{wildcards.draft}}"
        " --minutes {resources.runtime} 2>&1 | tee -a {log:q}"

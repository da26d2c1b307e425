# REQUIRED INPUTS: every score, dataset and model of the recipe's targets.
# OUTPUTS: report/index.html, one page that opens offline.
rule write_report:
    # What people look at.
    input:
        PATHS.report_inputs(),
    output:
        page=f"{R}/report/index.html",
        prov=f"{R}/report/index.html.prov.json",
    log:
        f"{R}/logs/report.log",
    benchmark:
        f"{R}/benchmarks/report.tsv"
    container:
        image("data")
    resources:
        **placed(lambda wildcards: DEMANDS.report()),
    params:
        settings=later(settings_of, "report"),
    shell:
        "thoughtline report write --settings {params.settings:q} --results $(dirname $(dirname {output.page:q})) --out {output.page:q}"
        f" --work {R}/work/report"
        " --minutes {resources.runtime} 2>&1 | tee -a {log:q}"

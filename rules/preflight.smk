# Before the first job: what would stop a run later stops it now, and an earlier driver's jobs are taken over.
from thoughtline.common.files import write_json
from thoughtline.machines import arrays
from thoughtline.machines.load import known_machines
from thoughtline.stage.needs import all_must_be_pinned
from thoughtline.stage.reach import why_unreachable


def check_submission():
    """Stop before the first job of a run for which something is missing that planning can do without."""
    if MACHINE.scheduler.account == "required" and not CONFIG.account:
        raise WorkflowError(f"config: account: is missing, and {MACHINE.name} charges every job to one; give --config account=NAME, or the key in site.yaml")
    if workflow.non_local_exec and not MACHINE.is_slurm:
        raise WorkflowError(
            f"config: machine: is {MACHINE.name}, but jobs are to be submitted; name the cluster, --config machine=NAME (known: {', '.join(known_machines())})"
        )


def check_room():
    """Stop before the first job of a run that would queue more than the site lets a user queue."""
    queued = MACHINE.scheduler.queued
    if workflow.non_local_exec and queued and workflow.resource_settings.nodes > queued:
        raise WorkflowError(
            f"jobs: {workflow.resource_settings.nodes} at once are more than {MACHINE.name} queues (scheduler.queued: {queued}); give --jobs {queued} or fewer"
        )


@functools.cache
def used_so_far():
    """What sacct says that this folder's jobs have used under its budget, and since when that counts."""
    since = budget.began(Path(R, "work/driver/budget.json"))
    return budget.ask(Path.cwd(), since), since


def tell_budget():
    """Say, in a dry run too, how the plan of what is left stands to the budget."""
    used, _ = used_so_far()
    try:
        print(f"budget_gpu_hours: {budget.words(plan_of_the_rest(), CONFIG.budget_gpu_hours, used.gpu_hours if used else 0.0)[0]}", file=sys.stderr)
    except UserError as error:
        raise Refused(f"{error}") from None


def check_budget():
    """Stop before the first job of a run whose plan exceeds its budget, and while it runs before its jobs use more."""
    if BUDGET is None:
        return
    used, since = used_so_far()
    if used is None:
        print("budget_gpu_hours: sacct does not answer, so it is held against the plan alone", file=sys.stderr)
    try:
        budget.check(plan_of_the_rest(), BUDGET, used.gpu_hours if used else 0.0)
    except UserError as error:
        raise WorkflowError(f"{error}") from None
    if workflow.non_local_exec:
        budget.begin(Path(R, "work/driver/budget.json"), since)
    if used is not None and workflow.non_local_exec:
        budget.watch(BUDGET, lambda: budget.ask(Path.cwd(), since))


def check_memory(jobs):
    """Stop before the first job of a run on this machine with weights that are larger than its memory."""
    if ON_CLUSTER:
        return
    from thoughtline.plan.fit import Fit, check_here
    from thoughtline.plan.models import Models
    from thoughtline.plan.work import Work, key_of

    models, work = Models(RECIPE, PATHS), Work(RECIPE, PATHS, DEMANDS)
    fit = Fit(RECIPE, MACHINE, PLACER, LAYOUT, models)
    keys = {key_of(job.rule.name, job.wildcards_dict) for job in jobs}
    try:
        with lines_of(CONFIG.recipe):
            check_here(models, (name for key, item in work.items.items() if key in keys and (name := fit.loaded(item))))
    except UserError as error:
        raise WorkflowError(f"{error}") from None


def check_images(jobs):
    """Stop before the first of `jobs` if the images that they run in are missing, or cannot be run here."""
    try:
        # Jobs that span nodes have none by Snakemake's account.
        spread = {"train_model": image("train"), "generate_traces": image("generate")}
        used = {job.container_img_url or spread.get(job.rule.name) for job in jobs if IN_CONTAINERS}
        images.check((Path(each) for each in used if each), MACHINE.containers and MACHINE.containers.variant)
    except UserError as error:
        raise WorkflowError(f"{error}") from None


def make_stage():
    """Make the folder of staged copies: containers cannot see what is not there when they start."""
    if IN_CONTAINERS:
        os.makedirs(CONFIG.stage, exist_ok=True)


def check_staging(jobs):
    """Stop before the first job of a run if the hub is needed and cannot be reached, or a revision only holds its place."""
    needs = PATHS.needs()
    missing = sorted({needs[job.output.manifest] for job in jobs if job.rule.name == "stage_repository"}, key=str)
    try:
        all_must_be_pinned(missing, CONFIG.recipe)
    except UserError as error:
        raise WorkflowError(f"{error}") from None
    if missing and not has_internet(MACHINE) and (why := why_unreachable()):
        raise WorkflowError(
            f"not staged in {CONFIG.stage}/: {'; '.join(map(str, missing))}. The hub cannot be reached from here: {why}. On a machine with internet run"
            f" `snakemake --profile {MACHINE.name} stage`, or `thoughtline stage fetch {CONFIG.recipe} --stage {CONFIG.stage}`, and copy that folder here"
        )


def put_logs(jobs):
    """Have Slurm write the jobs' logs below the results, unless --slurm-logdir says where."""
    submitted = next((job for job in jobs if not job.is_local), None)
    if submitted is not None and workflow.executor_settings.logdir is None:
        workflow.scheduler.get_executor(submitted).slurm_logdir = Path(CONFIG.results, "slurm_logs").absolute()


def check_arrays(jobs):
    """Stop before the first of `jobs` if arrays were asked for that could not do."""
    rate = workflow.scheduling_settings.max_jobs_per_timespan
    room = min(workflow.resource_settings.nodes, rate.max_jobs if rate else len(jobs))
    if chosen := workflow.executor_settings.array_jobs:
        asked = [(job.rule.name, " ".join(job.wildcards_dict.values()), dict(job.resources.items())) for job in jobs if not job.is_local]
        try:
            arrays.check(chosen, [rule.name for rule in workflow.rules], asked, room)
        except UserError as error:
            raise WorkflowError(f"{error}") from None


def take_over():
    """Be this folder's only driver, and see to the jobs that an earlier one left in the queue."""
    try:
        told = LEFTOVERS.take_over(Path.cwd(), Path(R, "work/driver"))
    except UserError as error:
        raise WorkflowError(f"{error}") from None
    if told:
        print(told, file=sys.stderr)


def write_sharing_plans(jobs):
    """Tell the trace jobs of this run which shards they may answer for each other."""
    wanted = [tuple(job.wildcards_dict[key] for key in ("answerer", "set", "shard")) for job in jobs if job.rule.name == "generate_traces"]
    for path, plan in order.sharing_plans(RECIPE, PATHS, wanted).items():
        write_json(path, plan)


BUDGET = CONFIG.budget_gpu_hours if ON_CLUSTER else None
if BUDGET is not None and workflow.is_main_process:
    from thoughtline.plan import budget
    from thoughtline.plan.done import Done
    from thoughtline.plan.planner import Planner

    @functools.cache
    def plan_of_the_rest():
        """What is left to do, as it was when the driver started."""
        with lines_of(CONFIG.recipe):
            return Planner(RECIPE, MACHINE, PATHS, PLACER, Done(PATHS), EXECUTION.concurrency).plan()

    tell_budget()

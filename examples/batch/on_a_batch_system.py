"""Convert on a batch system with dask-jobqueue: jobs are the workers, this process writes.

    python on_a_batch_system.py htcondor --jobs 100 --signal "sig_*.root" --background "bkg_*.root" -o data.h5
    python on_a_batch_system.py slurm --queue short --jobs 100 ...
    python on_a_batch_system.py slurm --queue short --script      # what is submitted for a worker, and nothing else
    python on_a_batch_system.py local --jobs 3 ...                # the same on this machine, to try it

Run it where jobs can be submitted and where the workers can reach a port: a login or an interactive node. The files,
and hepml in the same Python environment, must be visible to the jobs. Jobs that the batch system kills are replaced,
and their files are read again.
"""

import argparse
from typing import Any

from hepml.cli.convert import print_summary
from hepml.dataset import convert
from hepml.scale import Cluster


def cluster_of(options: argparse.Namespace) -> Any:
    """The cluster: one job a worker, one core and one file at a time each."""
    if options.system == "local":
        from distributed import LocalCluster

        return LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=None)
    # a worker holds one file's candidates, some 0.6 kB each, beside TensorFlow-free Python: 2 GB are plenty
    job: dict[str, Any] = {"cores": 1, "processes": 1, "memory": "2 GB"}
    if options.system == "htcondor":
        from dask_jobqueue import HTCondorCluster

        return HTCondorCluster(disk="1 GB", job_extra_directives={"+JobFlavour": '"workday"'}, **job)
    from dask_jobqueue import SLURMCluster

    return SLURMCluster(queue=options.queue, walltime="08:00:00", **job)


def main() -> None:
    """Start workers, convert, end them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", choices=["htcondor", "slurm", "local"])
    parser.add_argument("--queue", help="partition, for Slurm")
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--signal", nargs="+", default=[])
    parser.add_argument("--background", nargs="+", default=[])
    parser.add_argument("-o", "--output", default="data.h5")
    parser.add_argument("--script", action="store_true")
    options = parser.parse_args()
    with cluster_of(options) as cluster:
        if options.script:
            print(cluster.job_script())
            return
        cluster.adapt(minimum=options.jobs, maximum=options.jobs)  # replaces those that are killed
        with Cluster(cluster.scheduler_address) as workers:
            summary = convert(options.signal, options.background, options.output, workers=workers, skip_bad=True)
    print_summary(summary)
    for one in summary.skipped:
        print(f"skipped {one['path']}: {one['reason']}")


if __name__ == "__main__":
    main()

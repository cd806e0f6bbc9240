#!/usr/bin/env bash
# The command of a sweep's trial, which `launch` of agent.sbatch runs on all ranks. Before, it writes the file
# $S2TF_TRIAL, a script that runs it again. Its status goes to $S2TF_TRIAL.status, since W&B's agent does not pass it on.
set -eo pipefail
# The agent writes Python's None where the sweep's YAML has null.
set -- "${@/%=None/=null}"
if [ ! -f "$S2TF_TRIAL" ]; then
    {
        # Jobs of another cluster on the same disk leave this trial alone: their numbers mean other jobs.
        echo "# cluster: $SLURM_CLUSTER_NAME"
        # The variables that the agent gave to the trial, without the key, which the job has anyway.
        for name in $(compgen -e | grep '^WANDB_' | grep -v KEY); do
            printf 'export %s=%q\n' "$name" "${!name}"
        done
        printf 'bash %q' "$0"
        printf ' %q' "$@"
        echo
    } >"$S2TF_TRIAL.part"
    mv "$S2TF_TRIAL.part" "$S2TF_TRIAL"
fi
rm -f "$S2TF_TRIAL.status"
status=0
launch "$@" || status=$?
echo "$status" >"$S2TF_TRIAL.status"
exit "$status"

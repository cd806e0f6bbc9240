# Decides, after the ranks in $run have ended, whether the job is queued again; part of every script that trains.

# srun gives the highest status of all ranks, including those that it ended because one had gone. The statuses that the
# ranks have noted tell more: 73 means that another process holds the run folder's lock; 75 that all ranks have saved; 74
# that a rank lost another one, or a loader's worker was killed; from 129 on that it was killed. Any other status is a
# failure, which would only recur.
if [ "$status" -ne 0 ] && [ -s "$S2TF_ENDS" ]; then
    own=$(grep -vxE '73|74|75|(129|1[3-9][0-9]|2[0-9][0-9])' "$S2TF_ENDS" | head -n 1 || true)
    if [ -n "$own" ]; then
        status=$own
    elif grep -qx 73 "$S2TF_ENDS"; then
        status=73
    elif grep -qx 75 "$S2TF_ENDS"; then
        status=75
    else
        status=$(sort -n "$S2TF_ENDS" | tail -n 1)
    fi
fi
rm -f "$S2TF_ENDS"
died=false
if [ "$status" -eq 73 ] || [ "$status" -eq 74 ] || [ "$status" -gt 128 ]; then died=true; fi
again=$died
if [ "$status" -eq 75 ]; then again=true; fi

# Deaths since the last new checkpoint are counted: a run that dies at the same place each time is not queued for ever. A
# job that found the folder in use (73) has made no checkpoint: a newer one is the other process's.
deaths=$run/deaths
if ! $died || { [ "$status" -ne 73 ] && [ "$run/checkpoints/last.ckpt" -nt "$deaths" ]; }; then rm -f "$deaths"; fi
if $died; then
    echo "job $job: status $status" >>"$deaths"
    if [ "$(wc -l <"$deaths")" -gt @{restart_limit} ]; then
        what=died
        if [ "$status" -eq 73 ]; then what="died or found the run folder in use"; fi
        echo "$what $(wc -l <"$deaths") times without a new checkpoint (restart_limit: @{restart_limit})" >&2
        again=false
    fi
fi
if $again; then
    config=$run/train.yaml
    if [ ! -f "$config" ]; then config=$run/config.yaml; fi
    # Some clusters do not let users requeue their jobs.
    scontrol requeue "$job" ||
        echo "SLURM does not queue job $job again: \`s2tf submit run $config\` goes on from the last checkpoint" >&2
fi
if [ "$status" -ne 0 ]; then exit "$status"; fi

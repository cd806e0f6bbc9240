# What follows from the end of the ranks in $run: part of every script that trains.

# srun gives the highest status of all ranks, those among them that it ended because one had gone. What each rank has
# noted tells more: a status of its own is a failure, which would only come again; 73 comes when another process holds
# the run folder's lock; 75 when all have saved; the rest were killed, or (74) lost one that was.
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

# Deaths since there was a new checkpoint: a run that dies at the same place each time is not queued for ever. Who has
# found the folder in use (73) has made none: a newer one is the other process's.
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
    # Some clusters let nobody do it.
    scontrol requeue "$job" ||
        echo "SLURM does not queue job $job again: \`s2tf submit $config\` goes on from the last checkpoint" >&2
fi
if [ "$status" -ne 0 ]; then exit "$status"; fi

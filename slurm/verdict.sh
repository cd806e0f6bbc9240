# What follows from the end of the ranks in $run: part of every script that trains.

# srun gives the highest status of all ranks, those among them that it killed because one had gone. The rank that went
# first tells why; but where one was killed, another may be quicker to fail by having lost it. Of this start it says so in
# failure.txt; a rank that was killed with its shell has noted nothing.
if [ "$status" -ne 0 ] && [ -s "$S2TF_ENDS" ]; then
    worst=$status
    status=$(head -n 1 "$S2TF_ENDS")
    lost='Connection (closed|reset|refused)|gloo|NCCL|DistBackendError|DistNetworkError'
    if [ "$status" -eq 1 ] && [ "$worst" -gt 128 ] && ! grep -qvxE '1|1[34].' "$S2TF_ENDS" && [ "$run/failure.txt" -nt "$S2TF_ENDS.start" ] &&
        tail -n 1 "$run/failure.txt" | grep -qE "$lost"; then
        status=137
    fi
fi
rm -f "$S2TF_ENDS" "$S2TF_ENDS.start"

# Deaths by signal since there was a new checkpoint: a run that dies at the same place each time is not queued for ever.
deaths=$run/deaths
if [ "$status" -le 75 ] || [ "$run/checkpoints/last.ckpt" -nt "$deaths" ]; then rm -f "$deaths"; fi
if [ "$status" -gt 128 ]; then
    echo "job $job: status $status" >>"$deaths"
    if [ "$(wc -l <"$deaths")" -gt @{restart_limit} ]; then
        echo "died $(wc -l <"$deaths") times without a new checkpoint (restart_limit: @{restart_limit})" >&2
        exit "$status"
    fi
fi
if [ "$status" -eq 75 ] || [ "$status" -gt 128 ]; then scontrol requeue "$job"; fi
if [ "$status" -ne 0 ]; then exit "$status"; fi

# What follows from the end of $command with $status in $run: part of every script that trains.

# srun gives the highest status of all ranks, and it ends the others when the first has gone: 143 may mean anything. What
# the run has written last is surer.
if [ "$status" -ne 0 ]; then
    case $(tail -n 1 "$run/attempts.jsonl" 2>/dev/null) in
    *'"status": "interrupted"'*) status=75 ;;
    *'"status": "failed"'*) status=1 ;;
    esac
fi

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

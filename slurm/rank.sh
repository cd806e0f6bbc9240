# One rank: its command, whose end it notes in the file $S2TF_ENDS at once, before srun ends the other ranks. Signals are
# for the command; a shell without a trap would be gone before it has saved.
trap : USR1 TERM
status=0
"$@" || status=$?
if [ "$status" -ne 0 ]; then echo "$status" >>"$S2TF_ENDS"; fi
exit "$status"

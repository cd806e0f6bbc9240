# One rank: its command, whose exit status it records in the file $S2TF_ENDS immediately, before srun ends the other ranks.
# Signals are for the command; without a trap this shell would end before the command has saved.
trap : USR1 TERM
status=0
"$@" || status=$?
if [ "$status" -ne 0 ]; then echo "$status" >>"$S2TF_ENDS"; fi
exit "$status"

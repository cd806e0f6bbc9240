#!/usr/bin/env bash
# A SLURM of two nodes on this machine, as one user, in one folder: what tests and a look by hand need.
#
#   cluster.sh start DIR     start munge, the controller and the nodes n1 and n2; DIR/slurm.conf is their configuration
#   cluster.sh node DIR n1   start one node again, after it was killed
#   cluster.sh stop DIR      end all of them, and what their jobs left running
#
# Then SLURM_CONF=DIR/slurm.conf makes sbatch, srun, squeue and scontrol speak to it. Needs Debian's slurm-wlm and munge.
set -euo pipefail

usage="usage: cluster.sh start DIR | node DIR NAME | stop DIR"
action=${1:?$usage}
mkdir -p "${2:?$usage}"
dir=$(cd "$2" && pwd)
export SLURM_CONF=$dir/slurm.conf

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

configure() {
    mkdir -p "$dir/state" "$dir/log" "$dir/munge"
    chmod 700 "$dir/munge"
    if [ ! -f "$dir/munge/key" ]; then
        (umask 077 && head -c 1024 /dev/urandom >"$dir/munge/key")
    fi
    # cred_expire is also how long a requeued job waits; SlurmdTimeout how long a silent node counts as up. GraceTime is
    # what a preempted job has to save: without it SLURM ends srun with the batch script, at once.
    cat >"$SLURM_CONF" <<CONF
ClusterName=s2tf
FirstJobId=$((1000 + RANDOM))
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=5
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool.%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=100000,defer_batch=0
SchedulerType=sched/backfill
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
ReturnToService=2
JobRequeue=1
KillWait=15
SlurmdTimeout=10
SlurmctldTimeout=10
MessageTimeout=10
MinJobAge=3600
NodeName=n1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$(free_port) CPUs=64 RealMemory=500000 Gres=gpu:a6000:8
NodeName=n2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$(free_port) CPUs=64 RealMemory=500000 Gres=gpu:a6000:8
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerCPU=1000 PriorityTier=1 GraceTime=60 State=UP
PartitionName=urgent Nodes=ALL MaxTime=INFINITE DefMemPerCPU=1000 PriorityTier=2 State=UP
CONF
    # Empty files for devices: the GPUs exist for the scheduler alone.
    mkdir -p "$dir/gpus"
    touch "$dir"/gpus/gpu{0..7}
    echo "NodeName=n[1-2] Name=gpu Type=a6000 File=$dir/gpus/gpu[0-7]" >"$dir/gres.conf"
}

start_node() {
    mkdir -p "$dir/spool.$1"
    slurmd -N "$1"
}

wait_until_idle() {
    for _ in $(seq 100); do
        if [ "$(sinfo --noheader --format=%T --partition=main 2>/dev/null)" = idle ]; then return; fi
        sleep 0.2
    done
    echo "cluster.sh: the nodes did not come up within 20 s:" >&2
    for log in "$dir"/log/*.log; do tail -n 5 "$log"; done >&2
    exit 1
}

end() {
    local file=$dir/$1.pid signal=${2:-TERM}
    if [ -f "$file" ]; then kill "-$signal" "$(cat "$file")" 2>/dev/null || true; fi
}

case $action in
start)
    configure
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munged.pid" \
        --log-file="$dir/log/munged.log" --seed-file="$dir/munge/seed"
    slurmctld
    start_node n1
    start_node n2
    wait_until_idle
    ;;
node)
    start_node "${3:?$usage}"
    ;;
stop)
    timeout 20 scancel --full --signal=KILL --user="$(id -un)" 2>/dev/null || true
    timeout 20 scancel --user="$(id -un)" 2>/dev/null || true
    for daemon in slurmd.n1 slurmd.n2 slurmctld munged; do end "$daemon"; done
    # Steps outlive their node's daemon. Other clusters may be on this machine.
    for step in $(pgrep slurmstepd); do
        if grep -qzx "SLURM_CONF=$SLURM_CONF" "/proc/$step/environ" 2>/dev/null; then kill -KILL "$step" || true; fi
    done
    ;;
*)
    echo "$usage" >&2
    exit 2
    ;;
esac

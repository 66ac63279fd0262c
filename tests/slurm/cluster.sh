#!/usr/bin/env bash
# A real SLURM cluster of one node for the tests: munged, slurmctld and slurmd from Debian's packages, memory limits by
# cgroups. Loopback only, no systemd, everything under one directory; Debian 12, as root, cgroup v1.
#
#   cluster.sh start     install what is missing, with a Chromium for the status page; start what is not running
#   cluster.sh stop      cancel the jobs, stop the daemons started here (by pid), undo what was changed elsewhere
#   cluster.sh restart slurmd|slurmctld    end that daemon and start it again: slurmd by SIGKILL, as a crash would;
#                        slurmctld by SIGTERM, since one that crashes forgets the jobs of its last seconds
#
# The node pretends to have CPUs, memory and GPUs enough for the profile's jobs as shipped.
set -euo pipefail
umask 022

DIR=${SEGGUIDED_CLUSTER:-${TMPDIR:-/tmp}/segguided-cluster}
CPUS=4 MEM=200000 GPUS=4 PORT=16817
HOST=$(hostname -s)
RUN=$DIR/run LOG=$DIR/log ETC=$DIR/etc
export SLURM_CONF=$ETC/slurm.conf
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
DAEMONS=(munged slurmctld slurmd)
FILES=(slurm.conf gres.conf cgroup.conf)

say() { printf 'cluster.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# the pid in a pid file, if that process is alive and is the program we mean
pid_of() {  # name
    local pid comm
    pid=$(cat "$RUN/$1.pid" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] && comm=$(cat "/proc/$pid/comm" 2>/dev/null) || return 1
    [[ $comm == "$1"* ]] || return 1
    grep -qzs . "/proc/$pid/cmdline" || return 1      # a zombie has no command line
    echo "$pid"
}
wait_for() {  # seconds what command...
    local end=$(( SECONDS + $1 )) what=$2; shift 2
    until "$@" >/dev/null 2>&1; do
        if (( SECONDS >= end )); then
            tail -n 20 "$LOG"/*.log >&2 2>/dev/null || true
            die "timed out waiting for $what"
        fi
        sleep 0.1
    done
}
stopped() { ! pid_of "$1" >/dev/null; }
stop_one() {  # name signal
    local pid; pid=$(pid_of "$1") || { rm -f "$RUN/$1.pid"; return 0; }
    kill -"$2" "$pid" 2>/dev/null || true
    wait_for 30 "$1 ($pid) to stop" stopped "$1"
    rm -f "$RUN/$1.pid"
}
node_up() { timeout 10 sinfo -h -N -o '%T' | grep -qE '^(idle|mixed|allocated|completing)$'; }
no_jobs() { [[ -z $(timeout 10 squeue -h) ]]; }

install_packages() {
    local want=(munge slurm-client slurmctld slurmd chromium) missing=() package
    for package in "${want[@]}"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    [[ ${#missing[@]} == 0 ]] && return 0
    [[ $(id -u) == 0 ]] || die "${missing[*]} are not installed, and only root can install them: run this as root on Debian 12"
    command -v apt-get >/dev/null || die "${missing[*]} are not installed, and there is no apt-get to install them: use Debian 12"
    say "installing ${missing[*]}"
    # the packages must not start services of their own
    local policy=/usr/sbin/policy-rc.d made=0
    if [[ ! -e $policy ]]; then printf '#!/bin/sh\nexit 101\n' > $policy; chmod 755 $policy; made=1; fi
    local install=(apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}")
    export DEBIAN_FRONTEND=noninteractive
    "${install[@]}" >"$LOG/apt.log" 2>&1 \
        || { apt-get -o DPkg::Lock::Timeout=300 update -qq >>"$LOG/apt.log" 2>&1 && "${install[@]}" >>"$LOG/apt.log" 2>&1; } \
        || { tail -n 20 "$LOG/apt.log" >&2; die "${missing[*]} cannot be installed: see above what apt-get says"; }
    [[ $made == 0 ]] || rm -f $policy
}

# The daemons listen on the address of the host's own name only, so that name has to lead to the loopback device.
resolve_self() {
    [[ $(getent ahostsv4 "$HOST" | awk 'NR == 1 {print $1}') == 127.* ]] && return 0
    say "adding '127.0.0.1 $HOST' to /etc/hosts"
    local rest; rest=$(cat /etc/hosts)
    printf '127.0.0.1 %s # segguided-cluster\n%s\n' "$HOST" "$rest" > /etc/hosts
}
unresolve_self() {
    grep -q '# segguided-cluster$' /etc/hosts || return 0
    local rest; rest=$(grep -v '# segguided-cluster$' /etc/hosts); printf '%s\n' "$rest" > /etc/hosts
}

write_config() {
    local i name
    rm -f "$DIR"/dev/gpu*
    # slurmd insists on character devices, so these look like /dev/null
    for ((i = 0; i < GPUS; i++)); do mknod "$DIR/dev/gpu$i" c 1 3; done
    printf 'AutoDetect=off\nNodeName=%s Name=gpu Type=a100 File=%s/dev/gpu[0-%d]\n' "$HOST" "$DIR" $((GPUS - 1)) > "$ETC/gres.conf"
    printf 'CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\nConstrainRAMSpace=yes\nConstrainSwapSpace=yes\n' > "$ETC/cgroup.conf"
    cat > "$ETC/slurm.conf" <<EOF
ClusterName=segguided
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 1))
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$RUN/munge.socket
CredType=cred/munge
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool
SlurmctldPidFile=$RUN/slurmctld.pid
SlurmdPidFile=$RUN/slurmd.pid
SlurmctldLogFile=$LOG/slurmctld.log
SlurmdLogFile=$LOG/slurmd.log
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
EnforcePartLimits=ALL
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=5
SlurmdParameters=config_overrides
GresTypes=gpu
KillWait=5
MinJobAge=300
MessageTimeout=60
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=$CPUS RealMemory=$MEM Gres=gpu:a100:$GPUS State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10 DefMemPerCPU=100 State=UP
EOF
    # The jobs' inner srun gets no SLURM_CONF, so the default path must lead here as well.
    mkdir -p /etc/slurm
    for name in "${FILES[@]}"; do
        [[ ! -e /etc/slurm/$name || -L /etc/slurm/$name ]] || die "/etc/slurm/$name is another cluster's; remove SLURM's configuration or use another machine"
        ln -sfn "$ETC/$name" "/etc/slurm/$name"
    done
}

start_munged() {
    [[ -s $DIR/munge/munge.key ]] || (umask 077; head -c 1024 /dev/urandom > "$DIR/munge/munge.key")
    rm -f "$RUN"/munge.socket*
    munged --key-file="$DIR/munge/munge.key" --socket="$RUN/munge.socket" --pid-file="$RUN/munged.pid" \
           --log-file="$DIR/munge/munged.log" --seed-file="$DIR/munge/munged.seed"
    wait_for 10 munged sh -c "munge -S '$RUN/munge.socket' -n | unmunge -S '$RUN/munge.socket'"
}
start_slurmctld() { slurmctld; wait_for 20 slurmctld timeout 10 scontrol ping; }
start_slurmd() { slurmd; wait_for 30 "the node" node_up; }

start() {
    mkdir -p "$DIR"/{etc,run,log,state,spool,dev,munge}
    chmod 755 "$DIR" "$RUN"; chmod 700 "$DIR/munge" "$DIR/state"
    install_packages
    [[ -d /sys/fs/cgroup/memory && -d /sys/fs/cgroup/freezer ]] \
        || die "no cgroup v1 controllers memory and freezer at /sys/fs/cgroup: signal and memory faults cannot be tested on this machine"
    resolve_self
    if ! pid_of slurmctld >/dev/null; then
        find "$DIR/state" "$DIR/spool" -mindepth 1 -delete  # jobs of a cluster that was killed would begin again
        write_config
    fi
    local daemon
    for daemon in "${DAEMONS[@]}"; do pid_of "$daemon" >/dev/null || "start_$daemon"; done
    say "running; export SLURM_CONF=$SLURM_CONF"
}
stop() {
    # slurmd leaves running jobs alone when it stops, so cancel them first
    if pid_of slurmctld >/dev/null && pid_of slurmd >/dev/null && ! no_jobs; then
        squeue -h -o %A | sort -u | xargs -r timeout 20 scancel || true
        wait_for 30 "the jobs to end" no_jobs
    fi
    local daemon name
    for daemon in slurmd slurmctld munged; do stop_one "$daemon" TERM; done
    for name in "${FILES[@]}"; do
        [[ $(readlink "/etc/slurm/$name" 2>/dev/null) != "$ETC/$name" ]] || rm -f "/etc/slurm/$name"
    done
    unresolve_self
    find /sys/fs/cgroup -depth -type d \( -path "*/slurm_$HOST" -o -path "*/slurm_$HOST/*" \) -exec rmdir {} + 2>/dev/null || true
    rm -rf "$DIR"
}

case ${1:-} in
    start)   start ;;
    stop)    stop ;;
    restart) stop_one "$2" "$([[ $2 == slurmd ]] && echo KILL || echo TERM)"; sleep "${3:-0}"; "start_$2" ;;
    *)       die "usage: $0 start | stop | restart slurmd|slurmctld [SECONDS BETWEEN]" ;;
esac

# A compute node: pid 1 of its namespaces. NAME ADDRESS CGROUP_HIERARCHY=PATH…
# It ends with its slurmd, and everything that runs on it ends with it: killing it is a power cut.
set -eu
name=$1 address=$2
shift 2
hostname "$name"
for each; do
  mount --bind "${each#*=}" "/sys/fs/cgroup/${each%%=*}"
done
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip addr add "$address/24" dev eth0
ip link set eth0 up
slurmd -D -N "$name" &
wait $!

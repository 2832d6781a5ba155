# First process of the guest once it is on the host's file system: runs the command, reports, resets.
for port in /sys/class/virtio-ports/*; do
  read -r name <"$port/name"
  ln -s "/dev/${port##*/}" "/dev/guest-$name"
done
ip link set lo up
hostname guest
for mount in bpf:/sys/fs/bpf cgroup2:/sys/fs/cgroup tracefs:/sys/kernel/tracing debugfs:/sys/kernel/debug; do
  mount -t "${mount%%:*}" "${mount%%:*}" "${mount#*:}" 2>/dev/null
done
# Receivers of tests ask for large buffers, as an emulated processor does not keep up with senders.
echo 8388608 >/proc/sys/net/core/rmem_max
# As udev does: opening it loads the module.
mkdir -p /dev/net
mknod /dev/net/tun c 10 200
. /.guest/settings
for module in $PRELOAD; do modprobe "$module"; done
cd "$FOLDER" || exit 1
setsid /bin/sh /.guest/command </dev/null >/dev/guest-output 2>/dev/guest-errors
echo $? >/dev/guest-status
sync
echo b >/proc/sysrq-trigger
sleep 60

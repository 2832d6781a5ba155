#!/bin/busybox sh
# First process of the guest, out of the initramfs: puts the host's file system, shared read-only,
# under a layer of memory and goes on there. Mount tags: host, output.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do $b insmod "$module" || echo "guest: insmod $module failed"; done
exec >/dev/console 2>&1
. /guest/settings

options=trans=virtio,version=9p2000.L,msize=512000
$b mount -t 9p -o "ro,cache=loose,$options" host /host
$b mount -t tmpfs -o mode=755 tmpfs /layer
$b mkdir /layer/upper /layer/work
$b mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /new

for folder in proc sys dev; do $b mount -o move "/$folder" "/new/$folder"; done
$b mkdir -p /new/dev/shm /new/dev/pts /new/run /new/.guest /new/lib/modules
$b mount -t tmpfs tmpfs /new/dev/shm
$b mount -t devpts devpts /new/dev/pts
$b mount -t tmpfs -o mode=755 tmpfs /new/run
$b cp /guest/* /new/.guest/
# The kernel asks /sbin/modprobe of this root for modules: its own have to be found there.
$b mount -o bind "/new$MODULES" /new/lib/modules
# Not a chroot: /sbin/modprobe would be looked for in the initramfs.
exec $b switch_root /new /bin/sh /.guest/main

package vpc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// nameServices are sockets by which C libraries ask the host's name services past /etc/resolv.conf.
var nameServices = []string{"/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket"}

// maxMounts bounds how many mounts may lie on netnsDir: other programs have put several there.
const maxMounts = 64

// Start starts a command inside an instance: in its network namespace, with its /etc/resolv.conf and /sys. It works
// from any process with root's rights, and needs a Manager on this machine that has made the instance.
//
// The command may not ask for a signal at its parent's death: the parent is a thread that ends here.
func Start(instanceID string, cmd *exec.Cmd) error {
	if cmd.SysProcAttr != nil && cmd.SysProcAttr.Pdeathsig != 0 {
		return errors.New("start in instance: a parent death signal is not possible")
	}
	if err := checkID(instanceID); err != nil {
		return fmt.Errorf("start in instance: %w", err)
	}
	ns, err := openNamespace(instanceID)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("instance %s does not run on this machine", instanceID)
	}
	if err != nil {
		return err
	}
	defer ns.close()
	err = ns.within(func() error {
		if err := ownMounts(instanceID); err != nil {
			return err
		}
		return cmd.Start()
	})
	if err != nil {
		return fmt.Errorf("start in instance %s: %w", instanceID, err)
	}
	return nil
}

// ownMounts gives the calling thread a view of the file system in which what belongs to the host's network is replaced.
func ownMounts(instanceID string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make mount namespace: %w", err)
	}
	// From the host mounts still come in; to the host nothing goes.
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("part from the host's mounts: %w", err)
	}
	// Names of namespaces are kept here as mounts, each of which would keep its namespace as long as this command runs.
	for range maxMounts {
		err := unix.Unmount(netnsDir, unix.MNT_DETACH)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", netnsDir, err)
		}
	}
	path, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if err != nil {
		return fmt.Errorf("find the file to put the VPC's resolver over: %w", err)
	}
	if err := unix.Mount(resolvConf(instanceID), path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("put the VPC's resolver over %s: %w", path, err)
	}
	for _, s := range nameServices {
		if _, err := os.Lstat(s); err == nil {
			if err := unix.Mount("/dev/null", s, "", unix.MS_BIND, ""); err != nil {
				return fmt.Errorf("hide the host's name service %s: %w", s, err)
			}
		}
	}
	return ownSys()
}

// ownSys mounts a /sys that shows the instance's interfaces, and keeps the host's cgroups in it, from which programs learn
// their limits.
func ownSys() error {
	const cgroups = "/sys/fs/cgroup"
	kept, err := unix.OpenTree(unix.AT_FDCWD, cgroups, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return nil // no cgroups, or an old kernel: the host's /sys does as well
	}
	defer unix.Close(kept)
	if err := unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return nil // a container may not mount it: the host's does as well
	}
	if err := unix.MoveMount(kept, "", unix.AT_FDCWD, cgroups, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("keep %s: %w", cgroups, err)
	}
	return nil
}

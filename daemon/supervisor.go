package daemon

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// supervisor is the service manager that started this process, such as systemd. It is told when Trellis is ready and
// when it stops (sd_notify(3)). It also keeps sockets, by name, from one process to the next (sd_listen_fds(3)): what
// comes for them while no process serves waits in the kernel. Without a service manager nothing of this happens.
type supervisor struct {
	at     string // of the socket that it listens at, empty when there is no service manager
	log    *slog.Logger
	deaf   atomic.Bool           // it did not take the last message in time, so the next ones do not wait
	handed map[string][]*os.File // what the process before has left; owned by the goroutine that follows the store
}

// notifyTimeout bounds how long the service manager may take to hear something.
const notifyTimeout = 5 * time.Second

// newSupervisor finds the service manager in the environment, and takes it out of there: nobody but this process may
// speak to it.
func newSupervisor(log *slog.Logger) *supervisor {
	s := &supervisor{at: os.Getenv("NOTIFY_SOCKET"), log: log, handed: map[string][]*os.File{}}
	os.Unsetenv("NOTIFY_SOCKET")
	for _, f := range activation.Files(true) {
		s.handed[f.Name()] = append(s.handed[f.Name()], f)
	}
	return s
}

// say tells the service manager something, best effort: all else works without it.
func (s *supervisor) say(state string, descriptors ...int) {
	if err := s.send(state, descriptors...); err != nil {
		s.log.Warn("the service manager does not hear", "state", state, "error", err)
	}
}

// send sends one message with descriptors to the service manager.
func (s *supervisor) send(state string, descriptors ...int) error {
	if s.at == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	defer unix.Close(fd)
	wait := unix.NsecToTimeval(notifyTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait); err != nil {
		return fmt.Errorf("bound the wait: %w", err)
	}
	var rights []byte
	if len(descriptors) > 0 {
		rights = unix.UnixRights(descriptors...)
	}
	flags := unix.MSG_NOSIGNAL
	if s.deaf.Load() {
		flags |= unix.MSG_DONTWAIT
	}
	err = unix.Sendmsg(fd, []byte(state), rights, &unix.SockaddrUnix{Name: s.at}, flags)
	s.deaf.Store(errors.Is(err, unix.EAGAIN))
	if err != nil {
		return fmt.Errorf("send to %s: %w", s.at, err)
	}
	return nil
}

// keep gives the service manager a socket to keep under a name.
func (s *supervisor) keep(name string, socket int) { s.say("FDSTORE=1\nFDNAME="+name, socket) }

// forget makes the service manager close what it keeps under these names, and returns when it has: a socket that
// nobody serves, but that is open, would get a part of the connections of the one that is opened in its place.
func (s *supervisor) forget(names ...string) {
	if s.at == "" || len(names) == 0 {
		return
	}
	for _, name := range names {
		s.say("FDSTOREREMOVE=1\nFDNAME=" + name)
	}
	if err := s.barrier(); err != nil {
		s.log.Warn("the service manager may still keep sockets that are not wanted", "names", names, "error", err)
	}
}

// barrier returns when the service manager has heard all that was said: it closes the descriptor that it gets.
func (s *supervisor) barrier() error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer r.Close()
	err = s.send("BARRIER=1", int(w.Fd()))
	w.Close()
	if err != nil {
		return err
	}
	if err := r.SetReadDeadline(time.Now().Add(notifyTimeout)); err != nil {
		return fmt.Errorf("bound the wait: %w", err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("wait for the service manager: %w", err)
	}
	return nil
}

package vpc

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"

	"github.com/trellis-project/trellis"
)

// Options are what a Manager needs.
type Options struct {
	Region string       // names the managed prefix lists
	Log    *slog.Logger // nil: nothing is logged
	RunDir string       // the data directory of this Trellis; it marks which namespaces are this Trellis' own
}

// Manager keeps the VPCs of this machine as the nouns say.
type Manager struct{}

// New returns a Manager that has done nothing yet.
func New(o Options) *Manager { return nil }

// Run returns when ctx is done and everything that the Manager made is removed.
func (m *Manager) Run(ctx context.Context) error { return nil }

// Apply makes the kernel as the nouns say.
func (m *Manager) Apply(ctx context.Context, st *trellis.State) error { return nil }

// InstanceAt tells which instance of a VPC has an address, by its Key.
func (m *Manager) InstanceAt(vpcID string, a netip.Addr) (instanceKey string, ok bool) {
	return "", false
}

// Listen listens for TCP connections inside a VPC.
func (m *Manager) Listen(vpcID string, at netip.AddrPort) (net.Listener, error) { return nil, nil }

// ListenPacket receives UDP packets inside a VPC.
func (m *Manager) ListenPacket(vpcID string, at netip.AddrPort) (net.PacketConn, error) {
	return nil, nil
}

// Dial connects to a target inside a VPC.
func (m *Manager) Dial(ctx context.Context, vpcID string, to netip.AddrPort) (net.Conn, error) {
	return nil, nil
}

// Problem is something that keeps VPCs from working on this machine.
type Problem struct {
	Code string // stable, for example not_root
	Text string // what is wrong
	Fix  string // what to do or install
}

// Check tells what keeps VPCs from working on this machine.
func Check() []Problem { return nil }

// Start starts a command inside an instance.
func Start(instanceID string, cmd *exec.Cmd) error { return nil }

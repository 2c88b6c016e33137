package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/trellis-project/trellis/vpc"
)

// Config is everything that can be set from outside. It is flat: each part of Trellis is handed the plain
// fields that it needs.
type Config struct {
	Listen        string        // address of the API endpoint, host:port; port 0 picks a free one
	Data          string        // directory of all state
	Region        string        // the AWS region that Trellis is
	Compatibility string        // Extended or Strict
	DNSForward    []string      // servers, host:port, for names that are not ours; empty: the host's
	DrainTimeout  time.Duration // how long requests in flight may take after SIGTERM
	Etcd          []string      // endpoints of an etcd cluster to use instead of the embedded one
	Debug         string        // address at which profiles and counters of this process are served, host:port; empty: nowhere
	Acceleration  string        // which sockets of one machine are joined past TCP: AccelerateBoth, AccelerateTarget, AccelerateOff
	KeepVPCs      bool          // VPCs and what runs in them stay after SIGTERM, for another program to go on with (docs/upgrading.md)
	CoreDumps     bool          // the memory of this process, with its secrets, may be in core dumps: for who looks for a fault of it
	// Decisions is how many of the latest decisions to allow a request each event loop keeps for `trellis explain`; of denials
	// it keeps a quarter as many. One takes 232 bytes, what explains a denial at most 30 KB; 0 keeps none.
	Decisions int
}

// What is accelerated, where the kernel can (docs/decisions/0009-socket-acceleration.md).
const (
	AccelerateOff    = "off"
	AccelerateTarget = "target" // node to target and back
	AccelerateBoth   = "both"   // client to node and back as well
)

// accelerations are the legs that each value of Acceleration stands for.
var accelerations = map[string]vpc.Legs{AccelerateOff: 0, AccelerateTarget: vpc.TargetLeg, AccelerateBoth: vpc.TargetLeg | vpc.ClientLeg}

// The two compatibility modes (docs/modes.md).
const (
	Extended = "extended" // takes what AWS takes and what the guide shows
	Strict   = "strict"   // refuses what AWS refuses
)

// DefaultConfig is what holds when nothing is set.
func DefaultConfig() Config {
	return Config{
		Listen:        "127.0.0.1:4780",
		Data:          ".trellis",
		Region:        "eu-west-1",
		Compatibility: Extended,
		DrainTimeout:  10 * time.Second,
		Acceleration:  AccelerateBoth,
		Decisions:     4096,
	}
}

// maxDecisions bounds Decisions: 250 MB for each event loop, besides what explains denials.
const maxDecisions = 1 << 20

// region is the form of the names of AWS's regions.
var region = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)

// apiHosts are the names of the API endpoint before which the name of a bucket may stand: from inside VPCs, of this host, and
// that of --listen.
func (c *Config) apiHosts() []string {
	names := []string{APIName, "localhost"}
	host, _, _ := net.SplitHostPort(c.Listen) // Validate has read it
	if _, err := netip.ParseAddr(host); host != "" && err != nil && host != "localhost" {
		names = append(names, strings.ToLower(host))
	}
	return names
}

// Validate reports everything that is wrong at once.
func (c *Config) Validate() error {
	var bad []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		bad = append(bad, fmt.Errorf("--listen %q: want host:port, for example 127.0.0.1:4780", c.Listen))
	}
	if c.Data == "" {
		bad = append(bad, errors.New("--data: want a directory"))
	}
	if !region.MatchString(c.Region) {
		bad = append(bad, fmt.Errorf("--region %q: want an AWS region such as eu-west-1", c.Region))
	}
	if c.Compatibility != Extended && c.Compatibility != Strict {
		bad = append(bad, fmt.Errorf("--compatibility %q: want %s or %s", c.Compatibility, Extended, Strict))
	}
	for _, f := range c.DNSForward {
		if host, _, err := net.SplitHostPort(f); err != nil || net.ParseIP(host) == nil {
			bad = append(bad, fmt.Errorf("--dns-forward %q: want address:port, for example 9.9.9.9:53", f))
		}
	}
	if c.Debug != "" {
		if _, _, err := net.SplitHostPort(c.Debug); err != nil {
			bad = append(bad, fmt.Errorf("--debug %q: want host:port, for example 127.0.0.1:6060", c.Debug))
		}
	}
	if _, ok := accelerations[c.Acceleration]; !ok {
		bad = append(bad, fmt.Errorf("--acceleration %q: want %s, %s or %s", c.Acceleration, AccelerateBoth, AccelerateTarget, AccelerateOff))
	}
	if c.Decisions < 0 || c.Decisions > maxDecisions {
		bad = append(bad, fmt.Errorf("--decisions %d: want 0 to %d", c.Decisions, maxDecisions))
	}
	if c.DrainTimeout <= 0 {
		bad = append(bad, fmt.Errorf("--drain-timeout %s: want more than nothing", c.DrainTimeout))
	}
	return errors.Join(bad...)
}

// CredentialsFile is where the administrator's access key is written at the first start.
func (c *Config) CredentialsFile() string { return filepath.Join(c.Data, "credentials") }

// RootFile is where the certificate of the installation's authority is written at every start.
func (c *Config) RootFile() string { return filepath.Join(c.Data, "ca.pem") }

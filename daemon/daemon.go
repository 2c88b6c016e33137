// Package daemon is Trellis as one running process: it owns the configuration, makes every part, hands each
// what it needs, and joins control and traffic at the revisions of the store.
package daemon

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/api/every"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/certificate"
	"github.com/trellis-project/trellis/companion"
	"github.com/trellis-project/trellis/companion/bucket"
	"github.com/trellis-project/trellis/companion/function"
	"github.com/trellis-project/trellis/controlplane"
	"github.com/trellis-project/trellis/dataplane"
	"github.com/trellis-project/trellis/dns"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/routing"
	"github.com/trellis-project/trellis/sigv4"
	"github.com/trellis-project/trellis/store"
	"github.com/trellis-project/trellis/targetgroup"
	"github.com/trellis-project/trellis/telemetry"
	"github.com/trellis-project/trellis/vpc"
)

// apiDrain bounds how long API requests in flight may take when Trellis stops.
const apiDrain = 5 * time.Second

// APIName is the name of the API endpoint inside of every VPC.
const APIName = "api.trellis.internal"

// InsideEndpoint is the API endpoint as processes in a VPC reach it.
const InsideEndpoint = "http://" + APIName + ":4780"

// Daemon is a whole Trellis. New makes one, Run runs it.
type Daemon struct {
	config Config
	log    *slog.Logger

	store      *store.Store
	sessionKey []byte
	root       []byte // certificate of the authority in PEM, from bootstrap on
	identity   *identity.Identity
	plane      *controlplane.Plane
	functions  *function.Functions
	telemetry  *telemetry.Telemetry
	vpcs       *vpc.Manager
	groups     *targetgroup.Manager
	accessLog  *accesslog.Log
	buckets    *bucket.Buckets
	dataPlane  *dataplane.Server
	resolver   *dns.Server
	apiServer  *api.Server
	metadata   *metadata
	agent      *agent
	presences  *presences
	supervisor *supervisor
	settling   chan store.Change // what is followed, for the control plane

	directory  atomic.Pointer[identity.Directory]
	table      atomic.Pointer[routing.Table]
	keys       atomic.Pointer[certificate.Keys]
	certifying atomic.Pointer[dataplane.Certifying] // nil until there is a directory
	vouching   atomic.Pointer[dataplane.Vouching]   // nil while nobody has opted in
	applied    *applied
	outage     atomic.Pointer[error] // what the store died of, nil while it lives
	endpoint   chan string           // the API's address once it listens, capacity 1
	ready      chan struct{}         // closed when the first revision is carried
}

// New checks the configuration and makes a Trellis. It starts nothing.
func New(c Config, log *slog.Logger) (*Daemon, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w: choose one that can be written with --data", err)
	}
	st, err := store.New(store.Options{Dir: c.Data, Endpoints: c.Etcd, Log: log})
	if err != nil {
		return nil, err
	}
	tele, err := telemetry.New(telemetry.Options{Dir: filepath.Join(c.Data, telemetryFolder), Region: c.Region, Log: log})
	if err != nil {
		return nil, err
	}
	d := &Daemon{config: c, log: log, store: st, telemetry: tele,
		sessionKey: st.Key(identity.SessionKeyPurpose),
		applied:    newApplied(), endpoint: make(chan string, 1), ready: make(chan struct{}),
		settling: make(chan store.Change, 64), supervisor: newSupervisor(log)}
	strict := c.Compatibility == Strict
	roots := sync.OnceValue(func() *x509.CertPool { return targetgroup.SystemRoots(d.root) })
	d.identity = identity.New(identity.Options{Store: st, Region: c.Region, Strict: strict, Roots: roots, Log: log, Directory: d.directory.Load})
	companions := companion.Options{Store: st, Region: c.Region, Strict: strict}
	d.buckets = bucket.New(companions, filepath.Join(c.Data, bucketFolder))
	d.functions = function.New(function.Options{Options: companions, CodeDir: filepath.Join(c.Data, functionFolder)})
	d.plane = controlplane.New(controlplane.Options{Store: st, Region: c.Region, Strict: strict, Log: log,
		Follow: d.settle, Applied: d.applied.wait, LogGroup: d.ensureLogGroup, LookupTXT: lookupTXT(c.DNSForward)})
	d.vpcs = vpc.New(vpc.Options{Region: c.Region, Log: log, RunDir: c.Data, Accelerate: accelerations[c.Acceleration],
		Keep: c.KeepVPCs})
	d.groups = targetgroup.New(targetgroup.Options{Dial: d.vpcs.Dial, Socket: d.vpcs.Socket, Roots: roots, Health: d.reportHealth, Region: c.Region, Log: log})
	d.accessLog = accesslog.New(accesslog.Options{Region: c.Region, Deliver: d.deliver, Log: log})
	loops := spareProcessor()
	d.dataPlane = dataplane.New(dataplane.Options{Table: d.table.Load, Callers: d.caller, Vouching: d.vouching.Load, Certifying: d.certifying.Load, ResourceControl: d.resourceControl, Certificate: d.certificate, Groups: d.groups,
		Log: d.accessLog.Emit, Region: c.Region, Strict: strict, Logger: log, DrainTimeout: c.DrainTimeout,
		LogResource: d.accessLog.EmitResource, GatewaySocket: d.vpcs.GatewaySocket, LookUp: d.lookUp,
		MaxMemory: boundMemory(), Workers: loops, Joined: c.Acceleration != AccelerateOff, Decisions: c.Decisions})
	forward := c.DNSForward
	if len(forward) == 0 {
		if forward, err = dns.HostServers("/etc/resolv.conf"); err != nil {
			log.Warn("names that are not ours can't be forwarded", "error", err)
		}
	}
	d.resolver = dns.New(dns.Options{Table: d.table.Load, Forward: forward,
		Static: map[string]netip.Addr{APIName: trellis.APIAddr4}, Log: log})
	d.metadata, d.agent = newMetadata(d), newAgent(d)
	d.presences = &presences{d: d, log: log, running: map[place]opened{}, ending: map[place]chan struct{}{}, failed: map[place]string{}}
	d.apiServer = api.NewServer(api.Options{Region: c.Region, Code: d.functions.Linked, Callers: d.caller, ResourceControl: d.resourceControl, Log: log, Ready: d.readiness,
		Applied:    func(ctx context.Context, rev trellis.Revision) { _ = d.applied.wait(ctx, rev) },
		TokenKey:   st.Key("pagination tokens"),
		SealDenial: d.identity.SealDenial,
		Root:       func() []byte { return d.root },
		Hosts:      c.apiHosts(),
		Explain:    d.explain,
		Audit:      d.telemetry.Trail().Add,
		Services:   every.Services(every.Parts{Plane: d.plane, Identity: d.identity, Telemetry: d.telemetry, Buckets: d.buckets, Functions: d.functions, Companions: companions})})
	return d, nil
}

// Run runs Trellis until ctx is done. Then it drains: no new work, requests in flight end, what was made in
// the kernel is removed or, with Config.KeepVPCs, left to the next process, the store is closed.
func (d *Daemon) Run(ctx context.Context) (err error) {
	if !d.config.CoreDumps {
		if err := forbidCoreDumps(); err != nil {
			return err
		}
	}
	ln, err := net.Listen("tcp", d.config.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen for the API: %w: another Trellis may run there; stop it, or choose another address with --listen", err)
	}
	if err != nil {
		return fmt.Errorf("listen for the API at --listen %s: %w", d.config.Listen, err)
	}
	defer ln.Close()
	s := newStages()
	defer func() {
		s.stop()
		err = errors.Join(err, s.failure())
	}()
	if d.config.Debug != "" {
		debug, err := net.Listen("tcp", d.config.Debug)
		if err != nil {
			return fmt.Errorf("listen for profiles at --debug %s: %w", d.config.Debug, err)
		}
		metrics, err := d.metricsHandler()
		if err != nil {
			debug.Close()
			return err
		}
		s.start(actor{"debug", func(ctx context.Context) error { return serveDebug(ctx, debug, metrics, d.log) }})
	}
	s.start(actor{"memory", tendHeap})
	s.start(actor{"store", d.outlive(d.store.Run)})
	last, err := d.awaitStore(ctx, s)
	if err != nil || ctx.Err() != nil {
		return err
	}
	if last == nil {
		if err := d.prepare(ctx); err != nil {
			return err
		}
	}
	s.start(actor{"telemetry", d.telemetry.Run})
	s.start(
		actor{"vpc", d.vpcs.Run},
		actor{"access log", d.accessLog.Run},
		actor{"target groups", d.groups.Run},
		actor{"control plane", d.outlive(d.plane.Run)},
		actor{"sealing keys", d.outlive(d.identity.Run)},
	)
	s.start(actor{"data plane", d.dataPlane.Run})
	s.start(actor{"follow", func(ctx context.Context) error {
		defer d.presences.close()
		return d.outlive(func(ctx context.Context) error { return d.follow(ctx, last) })(ctx)
	}})
	d.endpoint <- "http://" + ln.Addr().String()
	if last != nil {
		s.start(actor{"store's return", d.prepareLater})
	}
	s.start(
		actor{"api", func(ctx context.Context) error { return serveHTTP(ctx, ln, d.apiServer, d.log) }},
		actor{"readiness", d.announce},
		actor{"local socket", d.serveLocal},
	)
	select {
	case <-ctx.Done():
		d.log.Info("draining")
		d.supervisor.say("STOPPING=1")
		return nil
	case err := <-s.failed:
		return err
	}
}

// awaitStore waits until the store is ready. While an etcd that others run does not answer, it returns what this node
// followed last, if anything, so that traffic is carried as it was.
func (d *Daemon) awaitStore(ctx context.Context, s *stages) (last *store.Change, err error) {
	var patience <-chan time.Time
	if len(d.config.Etcd) > 0 {
		patience = time.After(storePatience)
	}
	for {
		select {
		case <-d.store.Ready():
			return nil, nil
		case err := <-s.failed:
			return nil, err
		case <-ctx.Done():
			return nil, nil
		case <-patience:
		}
		c, err := d.store.Kept()
		if err == nil {
			d.log.Warn("the store does not answer: traffic is carried as it was", "revision", c.Revision)
			d.root, _ = os.ReadFile(d.config.RootFile()) // as it was, too
			return &c, nil
		}
		d.log.Warn("the store does not answer, and what it held is not known here", "error", err)
	}
}

// storePatience is how long a start waits for an etcd that others run before it goes on with what was followed last.
const storePatience = 8 * time.Second

// prepare makes what exists from the first start on, and sweeps what a former process has left.
func (d *Daemon) prepare(ctx context.Context) error {
	if err := d.bootstrap(ctx); err != nil {
		return err
	}
	if err := d.functions.Sweep(ctx); err != nil {
		d.log.Warn("code of functions that nothing uses stays", "error", err)
	}
	return nil
}

// prepareLater is prepare when the store answers at last.
func (d *Daemon) prepareLater(ctx context.Context) error {
	select {
	case <-d.store.Ready():
	case <-ctx.Done():
		return ctx.Err()
	}
	d.log.Info("the store answers")
	if err := d.prepare(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// outlive runs an actor that needs the store, and keeps its stage up when a store that was ready fails: the
// data plane goes on with what it has, the API answers errors, and /healthz says why. The store of a process
// is not started twice, since an etcd that failed may still hold its files: Trellis must be restarted.
func (d *Daemon) outlive(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := run(ctx)
		select {
		case <-d.store.Ready():
		default:
			return err
		}
		if err == nil || errors.Is(err, context.Canceled) {
			return err
		}
		if !errors.Is(err, store.ErrUnavailable) && d.outage.CompareAndSwap(nil, &err) {
			d.log.Error("the store has failed: traffic goes on as it is, nothing can be changed until Trellis is restarted", "error", err)
		}
		<-ctx.Done()
		return ctx.Err()
	}
}

// announce says that Trellis is ready when the first revision is carried.
func (d *Daemon) announce(ctx context.Context) error {
	if err := d.applied.wait(ctx, 1); err != nil {
		return err
	}
	url := <-d.endpoint
	d.endpoint <- url
	d.log.Info("ready", "endpoint", url, "revision", d.applied.revision())
	close(d.ready)
	d.supervisor.say("READY=1")
	<-ctx.Done()
	return ctx.Err()
}

// Endpoint waits until Trellis is ready and returns the API's URL.
func (d *Daemon) Endpoint(ctx context.Context) (string, error) {
	select {
	case <-d.ready:
		url := <-d.endpoint
		d.endpoint <- url
		return url, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// readiness is what /healthz asks.
func (d *Daemon) readiness() error {
	select {
	case <-d.ready:
	default:
		return errors.New("starting")
	}
	select {
	case <-d.store.Ready():
	default:
		return errors.New("the store does not answer: traffic is carried as it was, nothing can be changed")
	}
	if err := d.outage.Load(); err != nil {
		return fmt.Errorf("the store has failed, restart Trellis: %w", *err)
	}
	return nil
}

// caller finds who owns an access key, on the data plane and for the API alike.
func (d *Daemon) caller(accessKeyID, sessionToken string) (*authpolicy.Caller, *sigv4.Key, error) {
	dir := d.directory.Load()
	if dir == nil {
		return nil, nil, trellis.NewError(http.StatusServiceUnavailable, "ServiceUnavailable", "Trellis is starting")
	}
	return dir.Caller(accessKeyID, sessionToken)
}

// resourceControl finds what an organization holds the resources of an account to.
func (d *Daemon) resourceControl(account string) []authpolicy.Policies {
	dir := d.directory.Load()
	if dir == nil {
		return nil // nobody is known yet, so nobody gets that far
	}
	return dir.ResourceControl(account)
}

// bootstrap makes what exists from the first start on, and writes the administrator's credentials.
func (d *Daemon) bootstrap(ctx context.Context) error {
	key, _, err := d.identity.Bootstrap(ctx)
	if err != nil {
		return fmt.Errorf("bootstrap identity: %w", err)
	}
	if err := d.buckets.Open(ctx); err != nil {
		return fmt.Errorf("open buckets: %w", err)
	}
	if err := d.plane.Bootstrap(ctx); err != nil {
		return fmt.Errorf("bootstrap control plane: %w", err)
	}
	if err := d.writeRoot(ctx); err != nil {
		return err
	}
	return d.writeCredentials(key)
}

// writeCredentials writes the administrator's access key in the AWS shared-credentials format, readable by
// its owner alone. It is written whole or not at all.
func (d *Daemon) writeCredentials(key trellis.AccessKey) error {
	path := d.config.CredentialsFile()
	if _, err := os.Stat(path); err == nil || key.ID == "" { // written before, or nobody's: the administrator was deleted
		return nil
	}
	// The region stands here too: version 1 of the aws CLI does not read AWS_REGION.
	text := "[default]\naws_access_key_id = " + key.ID + "\naws_secret_access_key = " + key.Secret.Reveal() + "\nregion = " + d.config.Region + "\n"
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	return os.Rename(tmp, path)
}

// reportHealth writes what the health checks saw to the store. While the store is away it waits, and the target groups keep
// the newest of each target.
func (d *Daemon) reportHealth(ctx context.Context, seen []trellis.TargetHealth) {
	for {
		err := d.plane.ReportHealth(ctx, seen)
		if err == nil || ctx.Err() != nil {
			return
		}
		d.log.Warn("can't write target health", "targets", len(seen), "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
}

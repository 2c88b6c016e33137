package daemon

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/identity"
	"github.com/trellis-project/trellis/store"
)

// maxTokenTTL is the longest life of a metadata token (EC2 user guide, IMDSv2): six hours.
const maxTokenTTL = 6 * time.Hour

// The headers of tokens (EC2 user guide, IMDSv2).
const (
	tokenHeader    = "X-Aws-Ec2-Metadata-Token"
	tokenTTLHeader = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
)

// metadata is the EC2 instance metadata service (EC2 user guide, "Use the Instance Metadata Service"). It knows the instance
// by the address that the request comes from, which the VPC vouches for, and answers as the instance's metadata options say.
type metadata struct {
	d   *Daemon
	key [32]byte // signs tokens; a restart makes old ones invalid, and SDKs then ask for new ones
}

// newMetadata returns a metadata service with a fresh key.
func newMetadata(d *Daemon) *metadata {
	m := &metadata{d: d}
	rand.Read(m.key[:])
	return m
}

// token makes a token for an instance that is valid for a while: expiry and MAC.
func (m *metadata) token(instance string, expires time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(expires.Unix()))
	return base64.RawURLEncoding.EncodeToString(m.mac(instance, b))
}

// mac appends the MAC of an instance and an expiry to the expiry.
func (m *metadata) mac(instance string, expiry []byte) []byte {
	h := hmac.New(sha256.New, m.key[:])
	h.Write(expiry)
	h.Write([]byte(instance))
	return h.Sum(expiry)
}

// left is how long a token of an instance still holds: 0 when it was not made for the instance, or is over.
func (m *metadata) left(instance, token string, now time.Time) time.Duration {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < 8 {
		return 0
	}
	if !hmac.Equal(b, m.mac(instance, append([]byte(nil), b[:8]...))) {
		return 0
	}
	return max(0, time.Unix(int64(binary.BigEndian.Uint64(b)), 0).Sub(now))
}

// tokenPath is where a token is to be had.
const tokenPath = "/latest/api/token"

// handler answers the instances of one VPC.
func (m *metadata) handler(vpcID string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "EC2ws")
		key, ok := instanceOf(m.d, vpcID, r)
		if !ok {
			metadataError(w, http.StatusNotFound)
			return
		}
		in, err := m.instance(r, key)
		if err != nil {
			m.unavailable(w, key, err)
			return
		}
		o := in.Metadata()
		if r.URL.Path == tokenPath {
			if err := limitHops(r, *o.HopLimit); err != nil {
				m.d.log.Error("can't limit how far a token goes", "instance", key, "error", err)
				metadataError(w, http.StatusServiceUnavailable)
				return
			}
		}
		switch {
		case !*o.Endpoint:
			metadataError(w, http.StatusForbidden)
		case r.URL.Path == tokenPath:
			m.issue(w, r, key)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			metadataError(w, http.StatusMethodNotAllowed)
		case m.admits(w, r, key, *o.TokensRequired):
			m.answer(w, r, key)
		default:
			metadataError(w, http.StatusUnauthorized)
		}
	})
}

// admits tells whether a request has a token that holds, or none where none is needed, and writes for how long it holds.
func (m *metadata) admits(w http.ResponseWriter, r *http.Request, instance string, required bool) bool {
	if _, has := r.Header[tokenHeader]; !has {
		return !required
	}
	left := m.left(instance, r.Header.Get(tokenHeader), time.Now())
	if left > 0 {
		w.Header().Set(tokenTTLHeader, strconv.Itoa(int((left+time.Second-1)/time.Second)))
	}
	return left > 0
}

// instanceOf is the Key of the instance of a VPC that a request comes from.
func instanceOf(d *Daemon, vpcID string, r *http.Request) (key string, ok bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "", false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return "", false
	}
	return d.vpcs.InstanceAt(vpcID, addr)
}

// metadataError answers an error as EC2 writes it: a small page with the status twice.
func metadataError(w http.ResponseWriter, status int) {
	title := fmt.Sprintf("%d - %s", status, http.StatusText(status))
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>%[1]s</title>
 </head>
 <body>
  <h1>%[1]s</h1>
 </body>
</html>
`, title)
}

// unavailable answers that an instance can't be read now.
func (m *metadata) unavailable(w http.ResponseWriter, instance string, err error) {
	m.d.log.Warn("can't read instance for metadata", "instance", instance, "error", err)
	metadataError(w, http.StatusServiceUnavailable)
}

// issue answers PUT /latest/api/token. A forwarded request gets none: a proxy on the instance must not lend
// its identity (EC2 user guide, IMDSv2).
func (m *metadata) issue(w http.ResponseWriter, r *http.Request, instance string) {
	if r.Method != http.MethodPut {
		w.Header().Set("Allow", "OPTIONS, PUT")
		metadataError(w, http.StatusMethodNotAllowed)
		return
	}
	if r.Header.Get("X-Forwarded-For") != "" {
		metadataError(w, http.StatusForbidden)
		return
	}
	ttl, err := strconv.Atoi(r.Header.Get(tokenTTLHeader))
	if err != nil || ttl < 1 || ttl > int(maxTokenTTL/time.Second) {
		metadataError(w, http.StatusBadRequest)
		return
	}
	w.Header().Set(tokenTTLHeader, strconv.Itoa(ttl))
	w.Header().Set("Content-Type", "text/plain")
	w.Write([]byte(m.token(instance, time.Now().Add(time.Duration(ttl)*time.Second))))
}

// answer answers GET of a metadata path.
func (m *metadata) answer(w http.ResponseWriter, r *http.Request, key string) {
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if version == "" {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte(strings.Join(metadataVersions, "\n")))
		return
	}
	in, err := m.read(r, key)
	if err != nil {
		m.unavailable(w, key, err)
		return
	}
	text, ok := in.find(version, path)
	if !ok {
		metadataError(w, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	if strings.TrimSuffix(path, "/") == userDataPath {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	if strings.HasSuffix(path, "instance-identity/document") {
		w.Header().Set("Content-Type", "application/json")
	}
	if role, credentials := strings.CutPrefix(strings.TrimSuffix(path, "/"), credentialsPath+"/"); credentials && role == in.role {
		text = m.credentials(r, in)
		w.Header().Set("Content-Type", "application/json")
	}
	w.Write([]byte(text))
}

// instance reads an instance alone.
func (m *metadata) instance(r *http.Request, key string) (in *trellis.Instance, err error) {
	err = m.d.store.Read(r.Context(), func(tx *store.Tx) (err error) {
		in, err = store.Get[*trellis.Instance](tx, key)
		return err
	})
	return in, err
}

// read reads what the metadata of an instance is made of.
func (m *metadata) read(r *http.Request, key string) (*metadataOf, error) {
	in := &metadataOf{region: m.d.config.Region, zones: trellis.Zones(m.d.config.Region)}
	err := m.d.store.Read(r.Context(), func(tx *store.Tx) (err error) {
		if in.Instance, err = store.Get[*trellis.Instance](tx, key); err != nil {
			return err
		}
		if in.vpc, err = store.Get[*trellis.VPC](tx, in.Account+"/"+in.VPCID); err != nil {
			return err
		}
		in.interfaces, err = m.interfaces(tx, in.Instance)
		return err
	})
	if err != nil {
		return nil, err
	}
	in.hostname = m.d.plane.Hostname(in.Instance)
	if in.RoleARN != "" {
		in.role = trellis.LastPart(in.RoleARN)
	}
	return in, nil
}

// interfaces are the network interfaces of an instance, by device index.
func (m *metadata) interfaces(tx *store.Tx, i *trellis.Instance) (out []metadataInterface, err error) {
	attached, err := store.Find[*trellis.ElasticNetworkInterface](tx, i.ID)
	if err != nil {
		return nil, err
	}
	for _, n := range i.Interfaces(attached) {
		d := metadataInterface{ElasticNetworkInterface: n, hostname: m.d.plane.PrivateDNSName(n.IPv4[0])}
		if d.subnet, err = store.Get[*trellis.Subnet](tx, n.Account+"/"+n.SubnetID); err != nil {
			return nil, err
		}
		for _, id := range n.SecurityGroupIDs {
			g, err := store.Get[*trellis.SecurityGroup](tx, n.Account+"/"+id)
			if errors.Is(err, trellis.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			d.groups = append(d.groups, g.Name)
		}
		out = append(out, d)
	}
	return out, nil
}

// instanceSession is the session of an instance's role, with the condition keys that tell where its credentials are (IAM user
// guide, global condition keys; EC2 user guide, instance metadata).
func instanceSession(i *trellis.Instance, region string) identity.ServiceSession {
	return identity.ServiceSession{RoleARN: i.RoleARN, Service: "ec2.amazonaws.com", SessionName: i.ID, Holds: map[string][]string{"ec2:sourceinstancearn": {i.ARN(region)},
		"aws:ec2instancesourcevpc": {i.VPCID}, "aws:ec2instancesourceprivateipv4": {i.PrivateIP.String()}}}
}

// credentials are a fresh session of the instance's role, or, as on AWS, a code that SDKs read.
func (m *metadata) credentials(r *http.Request, in *metadataOf) string {
	session := instanceSession(in.Instance, in.region)
	session.Holds["ec2:roledelivery"] = []string{"1.0"}
	if _, has := r.Header[tokenHeader]; has { // which holds, or the request would not have come so far
		session.Holds["ec2:roledelivery"] = []string{"2.0"}
	}
	s, err := m.d.identity.SessionForService(r.Context(), session)
	if err != nil {
		m.d.log.Info("no instance credentials", "instance", in.Key(), "role", in.RoleARN, "error", err)
		return jsonText(map[string]string{"Code": "AssumeRoleUnauthorizedAccess",
			"Message":     "EC2 cannot assume the role " + in.role + ". Does its trust policy allow ec2.amazonaws.com?",
			"LastUpdated": time.Now().UTC().Format(time.RFC3339)})
	}
	return jsonText(map[string]string{
		"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": time.Now().UTC().Format(time.RFC3339),
		"AccessKeyId": s.AccessKeyID, "SecretAccessKey": s.SecretAccessKey.Reveal(), "Token": s.SessionToken,
		"Expiration": s.Expiration.UTC().Format(time.RFC3339)})
}

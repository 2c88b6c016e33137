package daemon

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
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

// metadata is the EC2 instance metadata service, version 2 alone: a request without a token is refused
// (EC2 user guide, "Use the Instance Metadata Service"). It knows the instance by the address that the
// request comes from, which the VPC vouches for.
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

// valid tells whether a token was made for an instance and still holds.
func (m *metadata) valid(instance, token string, now time.Time) bool {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < 8 {
		return false
	}
	if !hmac.Equal(b, m.mac(instance, append([]byte(nil), b[:8]...))) {
		return false
	}
	return now.Unix() < int64(binary.BigEndian.Uint64(b))
}

// handler answers the instances of one VPC.
func (m *metadata) handler(vpcID string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		addr, err := netip.ParseAddr(host)
		if err != nil {
			http.Error(w, "Bad Request", http.StatusBadRequest)
			return
		}
		key, ok := m.d.vpcs.InstanceAt(vpcID, addr)
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Server", "EC2ws")
		if r.URL.Path == "/latest/api/token" {
			m.issue(w, r, key)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		if !m.valid(key, r.Header.Get("X-aws-ec2-metadata-token"), time.Now()) {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		m.answer(w, r, key)
	})
}

// issue answers PUT /latest/api/token. A forwarded request gets none: a proxy on the instance must not lend
// its identity (EC2 user guide, IMDSv2).
func (m *metadata) issue(w http.ResponseWriter, r *http.Request, instance string) {
	if r.Method != http.MethodPut {
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	if r.Header.Get("X-Forwarded-For") != "" {
		http.Error(w, "Forbidden", http.StatusForbidden)
		return
	}
	ttl, err := strconv.Atoi(r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds"))
	if err != nil || ttl < 1 || ttl > int(maxTokenTTL/time.Second) {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	w.Header().Set("X-aws-ec2-metadata-token-ttl-seconds", strconv.Itoa(ttl))
	w.Header().Set("Content-Type", "text/plain")
	w.Write([]byte(m.token(instance, time.Now().Add(time.Duration(ttl)*time.Second))))
}

// answer answers GET of a metadata path.
func (m *metadata) answer(w http.ResponseWriter, r *http.Request, key string) {
	var in *trellis.Instance
	var subnet *trellis.Subnet
	err := m.d.store.Read(r.Context(), func(tx *store.Tx) (err error) {
		if in, err = store.Get[*trellis.Instance](tx, key); err != nil {
			return err
		}
		subnet, err = store.Get[*trellis.Subnet](tx, in.Account+"/"+in.SubnetID)
		return err
	})
	if err != nil {
		m.d.log.Warn("can't read instance for metadata", "instance", key, "error", err)
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/latest/")
	if rest, ok := strings.CutPrefix(path, "meta-data/iam/security-credentials"); ok {
		m.credentials(w, r, in, strings.Trim(rest, "/"))
		return
	}
	role, _ := roleName(in.RoleARN)
	values := map[string]string{
		"meta-data/instance-id":                                      in.ID,
		"meta-data/instance-type":                                    in.InstanceType,
		"meta-data/ami-id":                                           in.ImageID,
		"meta-data/local-ipv4":                                       in.PrivateIP.String(),
		"meta-data/mac":                                              in.MAC,
		"meta-data/reservation-id":                                   in.ReservationID,
		"meta-data/placement/region":                                 m.d.config.Region,
		"meta-data/placement/availability-zone":                      subnet.AvailabilityZone,
		"meta-data/services/domain":                                  "amazonaws.com",
		"meta-data/services/partition":                               "aws",
		"meta-data/security-groups":                                  strings.Join(in.SecurityGroupIDs, "\n"),
		"meta-data/network/interfaces/macs/" + in.MAC + "/vpc-id":    in.VPCID,
		"meta-data/network/interfaces/macs/" + in.MAC + "/subnet-id": in.SubnetID,
		"meta-data/network/interfaces/macs/" + in.MAC + "/owner-id":  in.Account,
	}
	if role != "" {
		values["meta-data/iam/info"] = jsonText(map[string]string{"Code": "Success",
			"InstanceProfileArn": trellis.IAMARN(in.Account, "instance-profile/"+role), "LastUpdated": in.UpdatedAt.Format(time.RFC3339)})
	}
	values["dynamic/instance-identity/document"] = jsonText(map[string]string{
		"accountId": in.Account, "architecture": "x86_64", "availabilityZone": subnet.AvailabilityZone, "imageId": in.ImageID,
		"instanceId": in.ID, "instanceType": in.InstanceType, "privateIp": in.PrivateIP.String(), "region": m.d.config.Region,
		"pendingTime": in.CreatedAt.Format(time.RFC3339), "version": "2017-09-30"})
	text, ok := values[strings.TrimSuffix(path, "/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Write([]byte(text))
}

// credentials answers the role's name, or a session of the role.
func (m *metadata) credentials(w http.ResponseWriter, r *http.Request, in *trellis.Instance, asked string) {
	role, ok := roleName(in.RoleARN)
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	if asked == "" {
		w.Write([]byte(role))
		return
	}
	if asked != role {
		http.NotFound(w, r)
		return
	}
	s, err := m.d.identity.SessionForService(r.Context(), identity.ServiceSession{RoleARN: in.RoleARN, Service: "ec2.amazonaws.com", SessionName: in.ID})
	if err != nil { // as on AWS: 200 with a code that SDKs read
		m.d.log.Info("no instance credentials", "instance", in.Key(), "role", in.RoleARN, "error", err)
		w.Write([]byte(jsonText(map[string]string{"Code": "AssumeRoleUnauthorizedAccess",
			"Message": "EC2 cannot assume the role " + role + ". Does its trust policy allow ec2.amazonaws.com?"})))
		return
	}
	w.Write([]byte(jsonText(map[string]string{
		"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": time.Now().UTC().Format(time.RFC3339),
		"AccessKeyId": s.AccessKeyID, "SecretAccessKey": s.SecretAccessKey.Reveal(), "Token": s.SessionToken,
		"Expiration": s.Expiration.UTC().Format(time.RFC3339)})))
}

// roleName is the name at the end of a role's ARN.
func roleName(arn string) (string, bool) {
	if arn == "" {
		return "", false
	}
	return trellis.LastPart(arn), true
}

// jsonText is a small object as JSON. Texts always marshal.
func jsonText(v map[string]string) string {
	b, _ := json.Marshal(v)
	return string(b)
}

package daemon

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/controlplane"
)

// metadataVersions are the versions of the metadata that can be asked for (EC2 user guide, instancedata-data-retrieval).
// Trellis answers all of them alike.
var metadataVersions = []string{"1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
	"2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30",
	"2016-09-02", "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23", "2021-07-15",
	"2022-09-24", "latest"}

// credentialsPath is where the credentials of an instance's role are, under the role's name.
const credentialsPath = "meta-data/iam/security-credentials"

// userDataPath is where the user data of an instance is, if it has some.
const userDataPath = "user-data"

// metadataOf is what the metadata of an instance is made of.
type metadataOf struct {
	*trellis.Instance
	interfaces []metadataInterface // by device index
	vpc        *trellis.VPC
	region     string
	zones      []trellis.Zone
	hostname   string
	role       string // name, empty without one
}

// metadataInterface is a network interface of an instance with what is around it.
type metadataInterface struct {
	*trellis.ElasticNetworkInterface
	subnet   *trellis.Subnet
	groups   []string // names
	hostname string
}

// find returns the text at a path below a version: a value, or what is below a folder, one name a line, folders with a
// slash at their end but for those right below the version. A slash at the path's end changes nothing.
func (in *metadataOf) find(version, path string) (string, bool) {
	if !slices.Contains(metadataVersions, version) {
		return "", false
	}
	path = strings.TrimSuffix(path, "/")
	values := in.values()
	if text, ok := values[path]; ok {
		return text, true
	}
	var below []string
	for name := range values {
		if path != "" {
			rest, ok := strings.CutPrefix(name, path+"/")
			if !ok {
				continue
			}
			name = rest
		}
		if folder, _, deeper := strings.Cut(name, "/"); deeper {
			if name = folder + "/"; path == "" {
				name = folder
			}
		}
		below = append(below, name)
	}
	slices.Sort(below)
	below = slices.Compact(below)
	return strings.Join(below, "\n"), len(below) > 0
}

// values are all values of the instance by their paths (EC2 user guide, instancedata-data-categories). What an instance of
// Trellis has not is not there, as on AWS: spot and maintenance events, public addresses, keys. Tags are there when the
// instance's metadata options let them in.
func (in *metadataOf) values() map[string]string {
	first := in.interfaces[0]
	m := map[string]string{
		"meta-data/ami-id":                      in.ImageID,
		"meta-data/ami-launch-index":            strconv.Itoa(in.LaunchIndex),
		"meta-data/ami-manifest-path":           "(unknown)",
		"meta-data/hostname":                    in.hostname,
		"meta-data/instance-action":             "none",
		"meta-data/instance-id":                 in.ID,
		"meta-data/instance-life-cycle":         "on-demand",
		"meta-data/instance-type":               in.InstanceType,
		"meta-data/local-hostname":              in.hostname,
		"meta-data/local-ipv4":                  in.PrivateIP.String(),
		"meta-data/mac":                         in.MAC,
		"meta-data/placement/availability-zone": first.subnet.AvailabilityZone,
		"meta-data/placement/region":            in.region,
		"meta-data/profile":                     "default-hvm",
		"meta-data/reservation-id":              in.ReservationID,
		"meta-data/security-groups":             strings.Join(first.groups, "\n"),
		"meta-data/services/domain":             "amazonaws.com",
		"meta-data/services/partition":          "aws",
		"dynamic/instance-identity/document":    in.document(),
	}
	for _, n := range in.interfaces {
		n.values(m, in.vpc)
	}
	for _, z := range in.zones {
		if z.Name == first.subnet.AvailabilityZone {
			m["meta-data/placement/availability-zone-id"] = z.ID
		}
	}
	if in.IPv6.IsValid() {
		m["meta-data/ipv6"] = in.IPv6.String()
	}
	if !in.UserData.IsZero() {
		m[userDataPath] = in.UserData.Reveal()
	}
	if *in.Metadata().Tags {
		for key, value := range in.Tags {
			if controlplane.MetadataTag(key) {
				m["meta-data/tags/instance/"+key] = value
			}
		}
	}
	if in.role != "" {
		profile := controlplane.ProfileOf(in.Instance)
		m["meta-data/iam/info"] = jsonText(map[string]string{"Code": "Success", "LastUpdated": in.UpdatedAt.UTC().Format(time.RFC3339),
			"InstanceProfileArn": profile.ProfileARN, "InstanceProfileId": profile.ProfileID})
		m[credentialsPath+"/"+in.role] = "" // made when it is asked for
	}
	return m
}

// values adds what is below an interface's MAC.
func (n *metadataInterface) values(m map[string]string, v *trellis.VPC) {
	nic := "meta-data/network/interfaces/macs/" + n.MAC + "/"
	for k, value := range map[string]string{
		"device-number":          strconv.Itoa(n.Attachment.DeviceIndex),
		"interface-id":           n.ID,
		"local-hostname":         n.hostname,
		"local-ipv4s":            addresses(n.IPv4),
		"mac":                    n.MAC,
		"owner-id":               n.Account,
		"security-group-ids":     strings.Join(n.SecurityGroupIDs, "\n"),
		"security-groups":        strings.Join(n.groups, "\n"),
		"subnet-id":              n.SubnetID,
		"subnet-ipv4-cidr-block": n.subnet.CIDR.String(),
		"vpc-id":                 n.VPCID,
		"vpc-ipv4-cidr-block":    v.CIDR.String(),
		"vpc-ipv4-cidr-blocks":   prefixes(append([]netip.Prefix{v.CIDR}, v.MoreCIDRs...)...),
	} {
		m[nic+k] = value
	}
	if len(n.IPv6) > 0 {
		m[nic+"ipv6s"], m[nic+"subnet-ipv6-cidr-blocks"], m[nic+"vpc-ipv6-cidr-blocks"] = addresses(n.IPv6), n.subnet.IPv6CIDR.String(), v.IPv6CIDR.String()
	}
}

// addresses are addresses, one a line.
func addresses(list []netip.Addr) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, "\n")
}

// prefixes are CIDRs, one a line.
func prefixes(list ...netip.Prefix) string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return strings.Join(texts, "\n")
}

// document is the instance identity document (EC2 user guide, instance-identity-documents). It is not signed.
func (in *metadataOf) document() string {
	b, _ := json.MarshalIndent(map[string]any{
		"accountId": in.Account, "architecture": "x86_64", "availabilityZone": in.interfaces[0].subnet.AvailabilityZone, "billingProducts": nil,
		"devpayProductCodes": nil, "marketplaceProductCodes": nil, "imageId": in.ImageID, "instanceId": in.ID,
		"instanceType": in.InstanceType, "kernelId": nil, "pendingTime": in.CreatedAt.UTC().Format(time.RFC3339),
		"privateIp": in.PrivateIP.String(), "ramdiskId": nil, "region": in.region, "version": "2017-09-30"}, "", "  ")
	return string(b)
}

// jsonText is a small object as JSON. Texts always marshal.
func jsonText(v map[string]string) string {
	b, _ := json.Marshal(v)
	return string(b)
}

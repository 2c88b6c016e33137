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

// metadataOf is what the metadata of an instance is made of.
type metadataOf struct {
	*trellis.Instance
	subnet   *trellis.Subnet
	vpc      *trellis.VPC
	groups   []string // names
	region   string
	zones    []controlplane.Zone
	hostname string
	role     string // name, empty without one
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
// Trellis has not is not there, as on AWS: spot and maintenance events, public addresses, keys, user data, tags, which
// are not let into the metadata.
func (in *metadataOf) values() map[string]string {
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
		"meta-data/placement/availability-zone": in.subnet.AvailabilityZone,
		"meta-data/placement/region":            in.region,
		"meta-data/profile":                     "default-hvm",
		"meta-data/reservation-id":              in.ReservationID,
		"meta-data/security-groups":             strings.Join(in.groups, "\n"),
		"meta-data/services/domain":             "amazonaws.com",
		"meta-data/services/partition":          "aws",
		"dynamic/instance-identity/document":    in.document(),
	}
	nic := "meta-data/network/interfaces/macs/" + in.MAC + "/"
	for k, v := range map[string]string{
		"device-number":          "0",
		"interface-id":           in.InterfaceID,
		"local-hostname":         in.hostname,
		"local-ipv4s":            in.PrivateIP.String(),
		"mac":                    in.MAC,
		"owner-id":               in.Account,
		"security-group-ids":     strings.Join(in.SecurityGroupIDs, "\n"),
		"security-groups":        strings.Join(in.groups, "\n"),
		"subnet-id":              in.SubnetID,
		"subnet-ipv4-cidr-block": in.subnet.CIDR.String(),
		"vpc-id":                 in.VPCID,
		"vpc-ipv4-cidr-block":    in.vpc.CIDR.String(),
		"vpc-ipv4-cidr-blocks":   prefixes(append([]netip.Prefix{in.vpc.CIDR}, in.vpc.MoreCIDRs...)...),
	} {
		m[nic+k] = v
	}
	for _, z := range in.zones {
		if z.Name == in.subnet.AvailabilityZone {
			m["meta-data/placement/availability-zone-id"] = z.ID
		}
	}
	if in.IPv6.IsValid() {
		m["meta-data/ipv6"], m[nic+"ipv6s"] = in.IPv6.String(), in.IPv6.String()
		m[nic+"subnet-ipv6-cidr-blocks"], m[nic+"vpc-ipv6-cidr-blocks"] = in.subnet.IPv6CIDR.String(), in.vpc.IPv6CIDR.String()
	}
	if in.role != "" {
		profile := controlplane.ProfileOf(in.Instance)
		m["meta-data/iam/info"] = jsonText(map[string]string{"Code": "Success", "LastUpdated": in.UpdatedAt.UTC().Format(time.RFC3339),
			"InstanceProfileArn": profile.ProfileARN, "InstanceProfileId": profile.ProfileID})
		m[credentialsPath+"/"+in.role] = "" // made when it is asked for
	}
	return m
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
		"accountId": in.Account, "architecture": "x86_64", "availabilityZone": in.subnet.AvailabilityZone, "billingProducts": nil,
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

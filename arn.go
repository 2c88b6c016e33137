package trellis

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// PartitionID is the label that AWS puts into every generated domain name of a service.
const PartitionID = "7d67968"

// GeneratedDomain is the domain that the generated names of a region are in, each with one label more.
func GeneratedDomain(region string) string {
	return PartitionID + ".vpc-lattice-svcs." + region + ".on.aws"
}

// ARN is an Amazon Resource Name, arn:partition:service:region:account:resource.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// String is the ARN as AWS writes it.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// ParseARN splits an ARN. The resource part keeps its own colons and slashes.
func ParseARN(s string) (ARN, error) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, fmt.Errorf("%q is not an ARN", s)
	}
	return ARN{p[1], p[2], p[3], p[4], p[5]}, nil
}

// LatticeARN is the ARN of a VPC Lattice resource, for example resource "service/svc-0123456789abcdef0".
func LatticeARN(region, account, resource string) string {
	return ARN{"aws", "vpc-lattice", region, account, resource}.String()
}

// EC2ARN is the ARN of an EC2 resource, for example resource "vpc/vpc-0123456789abcdef0".
func EC2ARN(region, account, resource string) string {
	return ARN{"aws", "ec2", region, account, resource}.String()
}

// IAMARN is the ARN of an IAM resource, for example resource "role/checkout-service". IAM has no region.
func IAMARN(account, resource string) string {
	return ARN{"aws", "iam", "", account, resource}.String()
}

// logGroupName is the form of the names of log groups (CloudWatch Logs API, CreateLogGroup).
var logGroupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)

// IsLogGroupName tells whether a log group can have a name.
func IsLogGroupName(name string) bool { return logGroupName.MatchString(name) }

// LogGroupARN is the ARN of a CloudWatch log group, without :* at its end.
func LogGroupARN(region, account, name string) string {
	return ARN{"aws", "logs", region, account, "log-group:" + name}.String()
}

// ParseLogGroupARN reads the name of a log group out of its ARN, which may have :* at its end.
func ParseLogGroupARN(s string) (a ARN, name string, err error) {
	a, err = ParseARN(s)
	name, ok := strings.CutPrefix(a.Resource, "log-group:")
	name = strings.TrimSuffix(name, ":*")
	if err != nil || a.Service != "logs" || !ok || !IsLogGroupName(name) {
		return ARN{}, "", fmt.Errorf("%q is not the ARN of a log group", s)
	}
	return a, name, nil
}

// NewID returns prefix + "-0" and 16 random hexadecimal digits: 17 after the hyphen, as AWS's ids have.
func NewID(prefix string) string {
	return prefix + "-0" + RandomHex(16)
}

// RandomHex returns n random hexadecimal digits.
func RandomHex(n int) string {
	b := make([]byte, (n+1)/2)
	rand.Read(b) // never fails (crypto/rand, Go 1.24)
	return hex.EncodeToString(b)[:n]
}

// NewUUID returns a random UUID of version 4.
func NewUUID() string {
	h := []byte(RandomHex(32))
	h[12], h[16] = '4', "89ab"[h[16]&3]
	return FormatUUID(string(h))
}

// FormatUUID writes 32 hexadecimal digits as a UUID.
func FormatUUID(h string) string {
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}

// LastPart is what follows the last slash of an ARN, key or id: the bare id or name of a resource.
func LastPart(s string) string {
	return s[strings.LastIndexByte(s, '/')+1:]
}

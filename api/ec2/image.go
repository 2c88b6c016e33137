package ec2

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
	"github.com/trellis-project/trellis/controlplane"
)

// labImageDate is when the lab image says that it was made.
const labImageDate = "2024-01-01T00:00:00.000Z"

// describeImages is DescribeImages. There is one image. So that configurations which look an image up by id
// or name pattern go on, it answers to every id and takes the name that a pattern asks for.
func (h *handler) describeImages(_ context.Context, c *api.Call, in *DescribeImagesInput) (*DescribeImagesOutput, error) {
	if err := h.plane.AllowEC2(caller(c, in.DryRun), "DescribeImages"); err != nil {
		return nil, err
	}
	name := "trellis-lab"
	for _, f := range in.Filters {
		if api.Value(f.Name) == "name" && len(f.Values) > 0 {
			name = strings.NewReplacer("*", "trellis-lab", "?", "0", `\`, "").Replace(f.Values[0])
		}
	}
	ids := slices.Clone(in.ImageIds)
	for _, id := range ids {
		if err := controlplane.CheckImageID(id); err != nil {
			return nil, err
		}
	}
	if len(ids) == 0 {
		ids = []string{trellis.LabImage}
	}
	ids, err := controlplane.MatchEC2(ids, filters(in.Filters), func(id string) (map[string][]string, map[string]string) {
		return map[string][]string{"image-id": {id}, "name": {name}, "architecture": {"x86_64", "arm64"}, "root-device-type": {"ebs"}, "root-device-name": {"/dev/xvda"},
			"virtualization-type": {"hvm"}, "hypervisor": {"xen"}, "state": {"available"}, "owner-alias": {"amazon"}, "owner-id": {labImageOwner}, "is-public": {"true"},
			"image-type": {"machine"}, "ena-support": {"true"}, "description": {"A network namespace"}, "creation-date": {labImageDate}, "platform": nil, "platform-details": {"Linux/UNIX"},
			"manifest-location": nil, "block-device-mapping.volume-type": {"gp2", "gp3"}, "block-device-mapping.volume-size": {strconv.Itoa(controlplane.RootSize)}, "block-device-mapping.delete-on-termination": {"true"}, "block-device-mapping.encrypted": {"false"}, "block-device-mapping.device-name": {"/dev/xvda"}}, nil
	})
	if err != nil {
		return nil, err
	}
	return &DescribeImagesOutput{Images: api.Each(ids, func(id string) Image {
		return Image{Architecture: api.Some("x86_64"), BlockDeviceMappings: []BlockDeviceMapping{{DeviceName: new(trellis.RootDevice), Ebs: &EbsBlockDevice{DeleteOnTermination: new(true), Encrypted: new(bool),
			Iops: new(int32(3000)), Throughput: new(int32(125)), VolumeSize: new(int32(controlplane.RootSize)), VolumeType: new("gp3")}}}, CreationDate: api.Some(labImageDate), Description: api.Some("A network namespace"), EnaSupport: new(true), Hypervisor: api.Some("xen"), ImageId: &id, ImdsSupport: new("v2.0"),
			ImageLocation: api.Some("amazon/" + name), ImageOwnerAlias: api.Some("amazon"), ImageType: api.Some("machine"), Name: &name, OwnerId: api.Some(labImageOwner), PlatformDetails: api.Some("Linux/UNIX"),
			Public: new(true), RootDeviceName: new(trellis.RootDevice), RootDeviceType: api.Some("ebs"), State: api.Some("available"), UsageOperation: api.Some("RunInstances"), VirtualizationType: api.Some("hvm")}
	})}, nil
}

// labImageOwner is the account that owns the lab image, as Amazon's own images have one.
const labImageOwner = "137112412989"

// instanceType is an instance type as it is described. The sizes mean nothing on a node.
type instanceType struct {
	name         string
	cpus         int
	mib          int64
	burstable    bool
	current      bool
	architecture string
}

// cores is how many cores the type's processor has.
func (t *instanceType) cores() int32 { return int32(max(t.cpus/2, 1)) }

// threads is how many threads each core has.
func (t *instanceType) threads() int32 { return int32(min(t.cpus, 2)) }

// instanceTypeName is how names of instance types are made: family, generation, options, size
// (https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html).
var instanceTypeName = regexp.MustCompile(`^([a-z]+)(\d+)([a-z-]*)\.(nano|micro|small|medium|large|(\d*)xlarge|metal(?:-\d+xl)?)$`)

// instanceTypes are the types that DescribeInstanceTypes lists.
func instanceTypes() (all []instanceType) {
	for _, name := range []string{"c5.large", "m5.large", "t2.micro", "t3.large", "t3.medium", "t3.micro", "t3.nano", "t3.small"} {
		t, _ := readInstanceType(name)
		all = append(all, t)
	}
	return all
}

// readInstanceType is the type of a name, false for what can't be one. Clients such as Terraform ask for the type of each
// instance that they find.
func readInstanceType(name string) (instanceType, bool) {
	m := instanceTypeName.FindStringSubmatch(name)
	if m == nil {
		return instanceType{}, false
	}
	t := instanceType{name: name, burstable: trellis.Burstable(name), current: m[2] > "2" || len(m[2]) > 1, architecture: "x86_64"}
	if strings.HasPrefix(m[3], "g") {
		t.architecture = "arm64"
	}
	perCPU := int64(4096)
	switch m[1][0] {
	case 'c':
		perCPU = 2048
	case 'r', 'x':
		perCPU = 8192
	}
	small := map[string]int64{"nano": 512, "micro": 1024, "small": 2048, "medium": 4096}
	switch size := m[4]; {
	case t.burstable && small[size] > 0:
		t.cpus, t.mib = 2, small[size]
		if m[2] == "2" && size != "medium" {
			t.cpus = 1
		}
		return t, true
	case small[size] > 0:
		t.cpus = 1
	case size == "large":
		t.cpus = 2
	case strings.HasSuffix(size, "xlarge"):
		times, _ := strconv.Atoi(m[5]) // none is one
		t.cpus = 4 * max(times, 1)
	default:
		t.cpus = 96
	}
	t.mib = int64(t.cpus) * perCPU
	return t, true
}

// networkPerformance is what every type says of its network.
var networkPerformance = "Up to 5 Gigabit"

// describeInstanceTypes is DescribeInstanceTypes. Figures of disks and networks are one usual type's: Terraform does not take
// a type for one that has none.
func (h *handler) describeInstanceTypes(_ context.Context, c *api.Call, in *DescribeInstanceTypesInput) (*DescribeInstanceTypesOutput, error) {
	if err := h.plane.AllowEC2(caller(c, in.DryRun), "DescribeInstanceTypes"); err != nil {
		return nil, err
	}
	all := instanceTypes()
	if len(in.InstanceTypes) > 0 {
		all = nil
		for _, name := range slices.Compact(slices.Sorted(slices.Values(in.InstanceTypes))) {
			t, ok := readInstanceType(name)
			if !ok {
				return nil, trellis.NewError(400, "InvalidInstanceType", "The following supplied instance types do not exist: [%s]", name)
			}
			all = append(all, t)
		}
	}
	all, err := controlplane.MatchEC2(all, filters(in.Filters), func(t instanceType) (map[string][]string, map[string]string) {
		return map[string][]string{"instance-type": {t.name}, "current-generation": {strconv.FormatBool(t.current)}, "processor-info.supported-architecture": {t.architecture}, "supported-virtualization-type": {"hvm"},
			"supported-usage-class": {"on-demand"}, "bare-metal": {"false"}, "hypervisor": {"nitro"}, "supported-root-device-type": {"ebs"}}, nil
	})
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(t instanceType) string { return t.name }, in.MaxResults, in.NextToken)
	return &DescribeInstanceTypesOutput{NextToken: next, InstanceTypes: api.Each(all, func(t instanceType) InstanceTypeInfo {
		return InstanceTypeInfo{AutoRecoverySupported: new(true), BareMetal: new(bool), BurstablePerformanceSupported: &t.burstable, CurrentGeneration: &t.current, DedicatedHostsSupported: new(bool),
			EbsInfo:          &EbsInfo{EbsOptimizedInfo: &EbsOptimizedInfo{new(int32(650)), new(int32(4000)), new(81.25), new(int32(4750)), new(int32(18750)), new(593.75)}, EbsOptimizedSupport: api.Some("default"), EncryptionSupport: api.Some("supported"), NvmeSupport: api.Some("required")},
			FreeTierEligible: new(bool), HibernationSupported: new(bool), Hypervisor: api.Some("nitro"), InstanceStorageSupported: new(bool), InstanceType: &t.name, MemoryInfo: &MemoryInfo{SizeInMiB: &t.mib},
			NetworkInfo: &NetworkInfo{DefaultNetworkCardIndex: new(int32), EfaSupported: new(bool), EnaSupport: api.Some("required"), EncryptionInTransitSupported: new(bool), Ipv4AddressesPerInterface: new(int32(controlplane.MaxInterfaceAddresses)), Ipv6AddressesPerInterface: new(int32(controlplane.MaxInterfaceAddresses)), Ipv6Supported: new(true), MaximumNetworkCards: new(int32(1)),
				MaximumNetworkInterfaces: new(int32(controlplane.MaxInterfaces)), NetworkCards: []NetworkCardInfo{{MaximumNetworkInterfaces: new(int32(controlplane.MaxInterfaces)), NetworkCardIndex: new(int32), NetworkPerformance: &networkPerformance}}, NetworkPerformance: &networkPerformance},
			PlacementGroupInfo: &PlacementGroupInfo{SupportedStrategies: []string{"partition", "spread"}},
			ProcessorInfo:      &ProcessorInfo{SupportedArchitectures: []string{t.architecture}, SustainedClockSpeedInGhz: new(2.5)}, SupportedBootModes: []string{"legacy-bios", "uefi"}, SupportedRootDeviceTypes: []string{"ebs"},
			SupportedUsageClasses: []string{"on-demand"}, SupportedVirtualizationTypes: []string{"hvm"},
			VCpuInfo: &VCpuInfo{DefaultCores: new(t.cores()), DefaultThreadsPerCore: new(t.threads()), DefaultVCpus: new(int32(t.cpus)), ValidCores: []int32{t.cores()}, ValidThreadsPerCore: []int32{t.threads()}}}
	})}, err
}

// describeInstanceTypeOfferings is DescribeInstanceTypeOfferings: every type is offered everywhere.
func (h *handler) describeInstanceTypeOfferings(_ context.Context, c *api.Call, in *DescribeInstanceTypeOfferingsInput) (*DescribeInstanceTypeOfferingsOutput, error) {
	if err := h.plane.AllowEC2(caller(c, in.DryRun), "DescribeInstanceTypeOfferings"); err != nil {
		return nil, err
	}
	kind := api.Or(in.LocationType, "region")
	var locations []string
	switch kind {
	case "region":
		locations = []string{h.region}
	case "availability-zone":
		locations = api.Each(trellis.Zones(h.region), func(z trellis.Zone) string { return z.Name })
	case "availability-zone-id":
		locations = api.Each(trellis.Zones(h.region), func(z trellis.Zone) string { return z.ID })
	}
	type offering struct{ instanceType, location string }
	var all []offering
	for _, t := range instanceTypes() {
		for _, l := range locations {
			all = append(all, offering{t.name, l})
		}
	}
	all, err := controlplane.MatchEC2(all, filters(in.Filters), func(o offering) (map[string][]string, map[string]string) {
		return map[string][]string{"instance-type": {o.instanceType}, "location": {o.location}}, nil
	})
	if err != nil {
		return nil, err
	}
	all, next, err := page(c, all, func(o offering) string { return o.instanceType + " " + o.location }, in.MaxResults, in.NextToken)
	return &DescribeInstanceTypeOfferingsOutput{NextToken: next, InstanceTypeOfferings: api.Each(all, func(o offering) InstanceTypeOffering {
		return InstanceTypeOffering{InstanceType: &o.instanceType, Location: &o.location, LocationType: &kind}
	})}, err
}

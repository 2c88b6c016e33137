package ec2

import (
	"context"
	"slices"
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
			"manifest-location": nil, "block-device-mapping.volume-type": {"gp2", "gp3"}, "block-device-mapping.encrypted": {"false"}, "block-device-mapping.device-name": {"/dev/xvda"}}, nil
	})
	if err != nil {
		return nil, err
	}
	return &DescribeImagesOutput{Images: api.Each(ids, func(id string) Image {
		return Image{Architecture: api.Some("x86_64"), CreationDate: api.Some(labImageDate), Description: api.Some("A network namespace"), EnaSupport: new(true), Hypervisor: api.Some("xen"), ImageId: &id,
			ImageLocation: api.Some("amazon/" + name), ImageOwnerAlias: api.Some("amazon"), ImageType: api.Some("machine"), Name: &name, OwnerId: api.Some(labImageOwner), PlatformDetails: api.Some("Linux/UNIX"),
			Public: new(true), RootDeviceName: api.Some("/dev/xvda"), RootDeviceType: api.Some("ebs"), State: api.Some("available"), UsageOperation: api.Some("RunInstances"), VirtualizationType: api.Some("hvm")}
	})}, nil
}

// labImageOwner is the account that owns the lab image, as Amazon's own images have one.
const labImageOwner = "137112412989"

// instanceTypeSize is an instance type as it is described. The sizes mean nothing on a node.
type instanceTypeSize struct {
	name string
	cpus int
	mib  int64
}

// instanceTypes are the types that DescribeInstanceTypes knows. RunInstances takes any name.
func instanceTypes() []instanceTypeSize {
	return []instanceTypeSize{{"c5.large", 2, 4096}, {"m5.large", 2, 8192}, {"t2.micro", 1, 1024}, {"t3.large", 2, 8192}, {"t3.medium", 2, 4096}, {"t3.micro", 2, 1024}, {"t3.nano", 2, 512}, {"t3.small", 2, 2048}}
}

// describeInstanceTypes is DescribeInstanceTypes.
func (h *handler) describeInstanceTypes(_ context.Context, c *api.Call, in *DescribeInstanceTypesInput) (*DescribeInstanceTypesOutput, error) {
	if err := h.plane.AllowEC2(caller(c, in.DryRun), "DescribeInstanceTypes"); err != nil {
		return nil, err
	}
	all := instanceTypes()
	for _, name := range in.InstanceTypes {
		if !slices.ContainsFunc(all, func(t instanceTypeSize) bool { return t.name == name }) {
			return nil, trellis.NewError(400, "InvalidInstanceType", "The following supplied instance types do not exist: [%s]", name)
		}
	}
	all, err := controlplane.MatchEC2(all, filters(in.Filters), func(t instanceTypeSize) (map[string][]string, map[string]string) {
		current := "true"
		if strings.HasPrefix(t.name, "t2.") {
			current = "false"
		}
		return map[string][]string{"instance-type": {t.name}, "current-generation": {current}, "processor-info.supported-architecture": {"x86_64"}, "supported-virtualization-type": {"hvm"},
			"supported-usage-class": {"on-demand"}, "bare-metal": {"false"}, "hypervisor": {"nitro"}, "supported-root-device-type": {"ebs"}}, nil
	})
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(t instanceTypeSize) bool {
		return len(in.InstanceTypes) > 0 && !slices.Contains(in.InstanceTypes, t.name)
	})
	all, next, err := page(c, all, func(t instanceTypeSize) string { return t.name }, in.MaxResults, in.NextToken)
	return &DescribeInstanceTypesOutput{NextToken: next, InstanceTypes: api.Each(all, func(t instanceTypeSize) InstanceTypeInfo {
		burstable := strings.HasPrefix(t.name, "t")
		return InstanceTypeInfo{AutoRecoverySupported: new(true), BareMetal: new(bool), BurstablePerformanceSupported: &burstable, CurrentGeneration: new(true), DedicatedHostsSupported: new(bool),
			FreeTierEligible: new(bool), HibernationSupported: new(bool), Hypervisor: api.Some("nitro"), InstanceStorageSupported: new(bool), InstanceType: &t.name, MemoryInfo: &MemoryInfo{SizeInMiB: &t.mib},
			NetworkInfo:   &NetworkInfo{Ipv4AddressesPerInterface: new(int32(1)), Ipv6AddressesPerInterface: new(int32(1)), Ipv6Supported: new(true), MaximumNetworkCards: new(int32(1)), MaximumNetworkInterfaces: new(int32(1)), EnaSupport: api.Some("supported")},
			ProcessorInfo: &ProcessorInfo{SupportedArchitectures: []string{"x86_64"}}, SupportedBootModes: []string{"legacy-bios", "uefi"}, SupportedRootDeviceTypes: []string{"ebs"},
			SupportedUsageClasses: []string{"on-demand"}, SupportedVirtualizationTypes: []string{"hvm"},
			VCpuInfo: &VCpuInfo{DefaultCores: new(int32(1)), DefaultThreadsPerCore: new(int32(t.cpus)), DefaultVCpus: new(int32(t.cpus))}}
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
		locations = api.Each(h.plane.Zones(), func(z controlplane.Zone) string { return z.Name })
	case "availability-zone-id":
		locations = api.Each(h.plane.Zones(), func(z controlplane.Zone) string { return z.ID })
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

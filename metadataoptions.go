package trellis

// MetadataOptions say how the metadata service of an instance answers (EC2 API reference, InstanceMetadataOptionsRequest).
// What is nil is not said, and left to who has the next word: a launch, then the account, then the image.
type MetadataOptions struct {
	Endpoint       *bool `json:"endpoint,omitempty"`       // false: nothing is answered
	TokensRequired *bool `json:"tokensRequired,omitempty"` // version 2 alone
	HopLimit       *int  `json:"hopLimit,omitempty"`       // of the packets that a token comes in, 1 to 64
	IPv6           *bool `json:"ipv6,omitempty"`           // whether MetadataAddr6 answers, too
	Tags           *bool `json:"tags,omitempty"`           // whether the instance's tags are among the metadata
}

// Or are the options with what others say where they say nothing.
func (o MetadataOptions) Or(others MetadataOptions) MetadataOptions {
	return MetadataOptions{Endpoint: or(o.Endpoint, others.Endpoint), TokensRequired: or(o.TokensRequired, others.TokensRequired),
		HopLimit: or(o.HopLimit, others.HopLimit), IPv6: or(o.IPv6, others.IPv6), Tags: or(o.Tags, others.Tags)}
}

// or is the first of two pointers that points to something.
func or[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// ImageMetadataOptions are what the lab image says of all options. It stands for images such as Amazon Linux 2023, which
// ask for tokens and let them pass a container's hop (EC2 user guide, "Configure the AMI").
func ImageMetadataOptions() MetadataOptions {
	return MetadataOptions{Endpoint: new(true), TokensRequired: new(true), HopLimit: new(2), IPv6: new(false), Tags: new(false)}
}

// Metadata are the instance's metadata options, all of them said. An instance from before there were any is answered as it
// was then: by IPv6, too.
func (i *Instance) Metadata() MetadataOptions {
	return i.MetadataOptions.Or(MetadataOptions{IPv6: new(true)}).Or(ImageMetadataOptions())
}

package trellis

// InstanceSettings are what an instance is told at launch and later, and shows again. The zero values are those of instances
// from before there were any.
type InstanceSettings struct {
	DisableAPITermination bool `json:"disableApiTermination,omitempty"` // TerminateInstances refuses the instance
	DisableAPIStop        bool `json:"disableApiStop,omitempty"`        // StopInstances refuses it
	// What follows is only shown: nothing in a lab instance shuts it down, measures it, bounds its processor, recovers it or
	// reserves room for it; it has no disk, and nobody logs in.
	ShutdownTerminates    bool   `json:"shutdownTerminates,omitempty"` // rather than stops
	DetailedMonitoring    bool   `json:"detailedMonitoring,omitempty"`
	UnlimitedCredits      bool   `json:"unlimitedCredits,omitempty"` // of a burstable instance
	NoAutoRecovery        bool   `json:"noAutoRecovery,omitempty"`
	NoRebootMigration     bool   `json:"noRebootMigration,omitempty"`
	NoCapacityReservation bool   `json:"noCapacityReservation,omitempty"`
	EBSOptimized          bool   `json:"ebsOptimized,omitempty"`
	KeyName               string `json:"keyName,omitempty"`
	// NamedByID has the private name begin with the instance's id rather than its address. The two records are of that
	// name; resolvers answer neither kind of name.
	NamedByID       bool            `json:"namedById,omitempty"`
	NameHasIPv4     bool            `json:"nameHasIpv4,omitempty"`
	NameHasIPv6     bool            `json:"nameHasIpv6,omitempty"`
	MetadataOptions MetadataOptions `json:"metadataOptions,omitzero"` // ask Metadata: an instance may be older than they are
}

// Secrets is the user data, if there is some.
func (i *Instance) Secrets() []*Secret {
	if i.UserData.IsZero() {
		return nil
	}
	return []*Secret{&i.UserData}
}

// Burstable tells whether instances of a type have credits for their processor: those of the family t.
func Burstable(instanceType string) bool {
	return len(instanceType) > 1 && instanceType[0] == 't' && instanceType[1] >= '0' && instanceType[1] <= '9'
}

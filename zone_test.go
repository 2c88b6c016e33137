package trellis

import "testing"

func TestZones(t *testing.T) {
	for region, want := range map[string]string{"eu-west-1": "euw1-az1", "us-east-1": "use1-az1", "ap-southeast-2": "apse2-az1", "eu-central-1": "euc1-az1"} {
		if got := Zones(region); len(got) != 3 || got[0] != (Zone{region + "a", want}) {
			t.Errorf("%s: %v, want %s", region, got, want)
		}
	}
}

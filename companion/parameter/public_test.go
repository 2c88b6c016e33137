package parameter

import (
	"slices"
	"strings"
	"testing"
)

// TestPublic reads the public parameters of some Regions, also of one that AWS has not.
func TestPublic(t *testing.T) {
	for region, want := range map[string]map[string]string{
		"eu-west-1": {"regions/eu-west-1/longName": "Europe (Ireland)", "regions/eu-west-1/geolocationCountry": "IE", "regions/eu-west-1/geolocationRegion": "IE-D",
			"availability-zones/euw1-az2": "euw1-az2", "regions/eu-west-1/availability-zones/euw1-az3": "euw1-az3", "services/s3/regions/eu-west-1": "eu-west-1",
			"regions/eu-west-1/services/lambda": "lambda", "regions/us-east-1": ""},
		"ap-southeast-1": {"regions/ap-southeast-1/longName": "Asia Pacific (Singapore)", "regions/ap-southeast-1/geolocationRegion": ""},
		"lab-east-1":     {"regions/lab-east-1": "lab-east-1", "regions/lab-east-1/longName": "", "current-region": "lab-east-1"},
	} {
		have, names := map[string]string{}, []string{}
		for _, v := range public(region) {
			have[strings.TrimPrefix(v.ID, publicRoot+"global-infrastructure/")] = v.Value.Reveal()
			names = append(names, v.ID)
		}
		if !slices.IsSorted(names) || len(have) != len(names) {
			t.Errorf("%s: not in order, or twice: %v", region, names)
		}
		for name, value := range want {
			if have[name] != value {
				t.Errorf("%s: %s is %q, want %q", region, name, have[name], value)
			}
		}
	}
	if !slices.IsSorted(publicServices) {
		t.Error("publicServices are not in order")
	}
}

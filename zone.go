package trellis

import (
	"strconv"
	"strings"
)

// Zone is an availability zone. A zone has no meaning on a node: it is a name that subnets carry.
type Zone struct {
	Name string // eu-west-1a
	ID   string // euw1-az1
}

// Zones are the three availability zones of a region.
func Zones(region string) []Zone {
	short := shortRegion(region)
	var out []Zone
	for i, letter := range []string{"a", "b", "c"} {
		out = append(out, Zone{region + letter, short + "-az" + strconv.Itoa(i+1)})
	}
	return out
}

// shortRegion is a region as zone ids begin: euw1 for eu-west-1, apse2 for ap-southeast-2.
func shortRegion(region string) string {
	area, rest, _ := strings.Cut(region, "-")
	direction, number, _ := strings.Cut(rest, "-")
	short := map[string]string{"north": "n", "south": "s", "east": "e", "west": "w", "central": "c",
		"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw"}[direction]
	return area + short + number
}

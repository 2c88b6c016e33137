// Package cloudwatch serves CloudWatch on the wire.
package cloudwatch

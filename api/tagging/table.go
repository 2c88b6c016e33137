// Package tagging serves the Resource Groups Tagging API on the wire.
package tagging

// Package secrets searches for secrets in everything that work leaves behind. Its tests have the tag deep.
package secrets

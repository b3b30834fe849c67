//go:build tools

package deps

import _ "go.temporal.io/sdk/contrib/tools/workflowcheck"

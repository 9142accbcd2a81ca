"""From numbers to a verdict: gates, behaviour checks, conventions, causes."""

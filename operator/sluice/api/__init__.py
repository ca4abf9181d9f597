"""The custom resources, typed once: what a person may write and what Sluice answers."""

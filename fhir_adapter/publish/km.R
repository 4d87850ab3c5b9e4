# Computes the Kaplan-Meier estimates of this folder again from adtte.csv and compares them with estimates.json.
#
#   Rscript km.R            in the folder analysis/ of a result; or: Rscript km.R path/to/analysis
#
# Needs R and its recommended package survival. Ends with an error if a number differs by more than 1e-6.

library(survival)

interval <- "@interval@"      # conf.type
level <- @level@              # conf.int
month_days <- @month_days@    # days in a month, as the study counts them
tie <- "@tie@"                # a curve that stays at one half: "first" day of it, or its "midpoint" as R does

# Months are empty for a median. Value and limits of a median are in months, empty when not reached.
expected <- read.csv(stringsAsFactors = FALSE, text = "
@expected@
")

given <- commandArgs(trailingOnly = TRUE)
folder <- if (length(given)) given[1] else "."
adtte <- read.csv(file.path(folder, "adtte.csv"), colClasses = c(SUBJID = "character"))

curve_of <- function(paramcd) {
  rows <- adtte[adtte$PARAMCD == paramcd & !is.na(adtte$AVAL), ]
  survfit(Surv(AVAL, CNSR == 0) ~ 1, data = rows, conf.type = interval, conf.int = level)
}

first_at_half <- function(days, share) {
  below <- which(!is.na(share) & share <= 0.5 + 1e-9)
  if (length(below)) days[below[1]] / month_days else NA
}

median_of <- function(fit) {
  value <- first_at_half(fit$time, fit$surv)
  if (tie == "midpoint") value <- unname(quantile(fit, 0.5, conf.int = FALSE)) / month_days
  c(value = value, low = first_at_half(fit$time, fit$lower), high = first_at_half(fit$time, fit$upper),
    n = fit$n, events = sum(fit$n.event), at_risk = NA)
}

at_month <- function(fit, months) {
  found <- summary(fit, times = months * month_days, extend = TRUE)
  day <- months * month_days
  c(value = found$surv, low = found$lower, high = found$upper, n = fit$n,
    events = sum(fit$n.event[fit$time <= day]), at_risk = found$n.risk)
}

if (nrow(expected) == 0) {
  cat("there is no estimate to compare\n")
  quit(status = 0)
}

computed <- do.call(rbind, lapply(seq_len(nrow(expected)), function(row) {
  fit <- curve_of(expected$paramcd[row])
  if (is.na(expected$months[row])) median_of(fit) else at_month(fit, expected$months[row])
}))

numbers <- c("value", "low", "high", "n", "events", "at_risk")
told <- as.matrix(expected[numbers])
# Of a share of 1 no interval is told, also where R gives one without width (conf.type log and plain).
no_width <- is.na(told) & numbers[col(told)] %in% c("low", "high") & computed == 1
compared <- !(is.na(told) & numbers[col(told)] == "at_risk") & !no_width
same <- ifelse(is.na(told) | is.na(computed), is.na(told) == is.na(computed), abs(told - computed) <= 1e-6)

print(cbind(expected["id"], round(computed, 6)), row.names = FALSE)
if (any(compared & !same, na.rm = TRUE)) {
  print(expected[rowSums(compared & !same, na.rm = TRUE) > 0, ])
  stop("these estimates are not the same")
}
cat(nrow(expected), "estimates are the same\n")

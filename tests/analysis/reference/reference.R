# Writes expected.csv beside it: what R's survival package says about the data sets of this folder.
# Run in this folder: Rscript reference.R
library(survival)
options(digits = 17)

rows <- list()
say <- function(set, statistic, group, option, time, value)
    rows[[length(rows) + 1]] <<- data.frame(set, statistic, group, option, time, value)

types <- c("plain", "log", "log-log")
read <- function(set) {
    found <- read.csv(paste0(set, ".csv"))
    found$group <- factor(found$group, levels = unique(found$group))
    found
}

# One curve per group: survfit(Surv(time, status) ~ 1, conf.type = ..., conf.int = ...)
curves <- function(set, days, until) {
    people <- read(set)
    for (group in levels(people$group)) {
        those <- people[people$group == group, ]
        for (option in c("plain 0.95", "log 0.95", "log-log 0.95", "log-log 0.9")) {
            type <- strsplit(option, " ")[[1]][1]
            level <- as.numeric(strsplit(option, " ")[[1]][2])
            fit <- survfit(Surv(time, status) ~ 1, those, conf.type = type, conf.int = level)
            known <- summary(fit, times = days[days <= max(those$time)])
            for (i in seq_along(known$time)) {
                say(set, "survival", group, option, known$time[i], known$surv[i])
                say(set, "lower", group, option, known$time[i], known$lower[i])
                say(set, "upper", group, option, known$time[i], known$upper[i])
                say(set, "at risk", group, option, known$time[i], known$n.risk[i])
            }
            table <- summary(fit)$table
            say(set, "median", group, option, NA, table[["median"]])
            say(set, "median lower", group, option, NA, table[[paste0(level, "LCL")]])
            say(set, "median upper", group, option, NA, table[[paste0(level, "UCL")]])
        }
        fit <- survfit(Surv(time, status) ~ 1, those)
        for (end in until) {
            table <- summary(fit, rmean = end)$table
            say(set, "restricted mean", group, "", end, table[["rmean"]])
            say(set, "restricted mean se", group, "", end, table[["se(rmean)"]])
        }
        reverse <- survfit(Surv(time, 1 - status) ~ 1, those)
        say(set, "reverse median", group, "", NA, summary(reverse)$table[["median"]])
    }
}

# survdiff(Surv(time, status) ~ group)
test <- function(set) {
    people <- read(set)
    test <- survdiff(Surv(time, status) ~ group, people)
    say(set, "chi-square", "", "", NA, test$chisq)
    say(set, "p value", "", "", NA, pchisq(test$chisq, length(test$n) - 1, lower.tail = FALSE))
    for (i in seq_along(test$exp)) say(set, "expected", levels(people$group)[i], "", NA, test$exp[i])
}

# coxph(Surv(time, status) ~ group), ties = "efron", which is its default
ratios <- function(set) {
    people <- read(set)
    fit <- coxph(Surv(time, status) ~ group, people, eps = 1e-12, toler.chol = 1e-13)
    ratios <- summary(fit)
    for (i in seq_along(coef(fit))) {
        group <- levels(people$group)[i + 1]
        say(set, "hazard ratio", group, "", NA, exp(coef(fit)[[i]]))
        say(set, "log se", group, "", NA, sqrt(vcov(fit)[i, i]))
        say(set, "ratio lower", group, "", NA, ratios$conf.int[i, "lower .95"])
        say(set, "ratio upper", group, "", NA, ratios$conf.int[i, "upper .95"])
        say(set, "ratio p", group, "", NA, ratios$coefficients[i, "Pr(>|z|)"])
    }
}

# Firth's penalty on the partial likelihood that coxph itself reports: value(b) = loglik + log(det(information)) / 2,
# both from coxph(..., init = b, iter.max = 0). Two groups only.
firth <- function(set, people = read(set)) {
    value <- function(b) {
        fit <- suppressWarnings(coxph(Surv(time, status) ~ group, people, init = b, iter.max = 0))
        fit$loglik[1] + log(1 / vcov(fit)[1, 1]) / 2
    }
    best <- optimize(value, c(-8, 8), maximum = TRUE, tol = 1e-12)
    deep <- function(b) best$objective - value(b) - qchisq(0.95, 1) / 2
    group <- levels(people$group)[2]
    say(set, "penalised ratio", group, "", NA, exp(best$maximum))
    say(set, "penalised lower", group, "", NA, exp(uniroot(deep, c(-12, best$maximum), tol = 1e-12)$root))
    say(set, "penalised upper", group, "", NA, exp(uniroot(deep, c(best$maximum, 12), tol = 1e-12)$root))
    say(set, "penalised p", group, "", NA, pchisq(2 * (best$objective - value(0)), 1, lower.tail = FALSE))
}

# survfit(Surv(time, factor(status)) ~ 1): Aalen-Johansen, standard error by the infinitesimal jackknife
incidence <- function(set, days) {
    people <- read(set)
    for (group in c(levels(people$group), "everybody")) {
        those <- if (group == "everybody") people else people[people$group == group, ]
        for (type in types) {
            fit <- survfit(Surv(time, factor(status, 0:2)) ~ 1, those, conf.type = type)
            known <- summary(fit, times = days)
            for (cause in 1:2) for (i in seq_along(days)) {
                name <- paste0("cause ", cause)
                say(set, paste(name, "incidence"), group, type, days[i], known$pstate[i, cause + 1])
                say(set, paste(name, "se"), group, type, days[i], known$std.err[i, cause + 1])
                say(set, paste(name, "lower"), group, type, days[i], known$lower[i, cause + 1])
                say(set, paste(name, "upper"), group, type, days[i], known$upper[i, cause + 1])
            }
        }
    }
}

curves("6mp", c(6, 10, 12, 22, 24), c(10, 20))
curves("aml", c(8, 9, 20, 31, 44), c(20, 40))
curves("veteran", c(30, 99, 182, 365), c(90, 180))
curves("study12", c(183, 270, 365.25), c(183, 240))
for (set in c("6mp", "aml", "veteran", "study12")) test(set)
for (set in c("6mp", "aml", "veteran")) ratios(set) # in study12 nobody relapsed after the antibody has an event
for (set in c("6mp", "aml", "study12")) firth(set)
# Separation: nobody under 6-MP has an event.
separated <- read("6mp")
separated$status[separated$group == "6-MP"] <- 0
firth("6mp separated", separated)
incidence("competing", c(14, 30, 90, 180, 270))

expected <- do.call(rbind, rows)
expected$value <- trimws(formatC(expected$value, digits = 17, format = "g"))
write.csv(expected, "expected.csv", row.names = FALSE, quote = FALSE, na = "")
cat(R.version.string, "survival", as.character(packageVersion("survival")), "\n")
